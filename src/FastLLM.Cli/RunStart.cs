namespace FastLLM.Cli;

/// <summary>Does what comes before a run: the confirmation of its estimate, and the preview of its first rows.</summary>
internal sealed class RunStart(JobOptions job, RunReport report, Signals signals, Confirmation confirmation)
{
    private const long LargeInput = 64 << 20;

    /// <summary>Gets the cost above which the run must be confirmed; <see langword="null"/> for none.</summary>
    public decimal? ConfirmAbove { get; init; }

    /// <summary>Gets the number of rows to show first; <see langword="null"/> for the default.</summary>
    public int? Preview { get; init; }

    /// <summary>Gets a value indicating whether to ask at all.</summary>
    public bool Asks { get; init; }

    /// <summary>Gets where the preview is shown.</summary>
    public required TextWriter Messages { get; init; }

    /// <summary>Gets the plan, if one was needed: it has read the input, so that the run does not have to.</summary>
    public JobPlan? Plan { get; private set; }

    /// <summary>Gets the result of the preview, whose rows are the run's own; <see langword="null"/> if there was none.</summary>
    public JobResult? Previewed { get; private set; }

    /// <summary>Confirms and previews the run.</summary>
    /// <param name="createManager">Creates a manager for the preview.</param>
    /// <returns>The exit code if the run ends here; otherwise <see langword="null"/>.</returns>
    public async Task<int?> RunAsync(Func<RequestManager> createManager)
    {
        if ((ConfirmAbove is null || !Asks) && Preview == 0)
        {
            return null;
        }

        int? exit = null;
        int fault = await report.GuardAsync(async () =>
        {
            if (Preview is null && new FileInfo(job.Input).Length > LargeInput)
            {
                await Messages.WriteLineAsync(
                    $"Reading {TerminalText.Clean(job.Input)} to find out what is left to send. To skip this: --yes.");
            }

            await using RequestManager manager = createManager();
            JobPlan plan = Plan = await RunCommand.Checked(() => Job.PlanAsync(manager, job, signals.Drain));
            if (ConfirmAbove is { } above && Asks)
            {
                confirmation.Require(plan, above);
            }

            long rows = RunPreview.RowsOf(Preview, plan);
            exit = rows > 0 ? await ShowAsync(manager, plan, rows) : null;
            return ExitCode.Ok;
        });
        return fault == ExitCode.Ok ? exit : fault;
    }

    private async Task<int?> ShowAsync(RequestManager manager, JobPlan plan, long rows)
    {
        var preview = new RunPreview(job, confirmation, Messages);
        JobResult shown = await preview.RunAsync(manager, plan, rows, signals);
        Previewed = shown;
        if (shown.Stopped is not null || shown.Interrupted)
        {
            return report.Report(shown);
        }

        try
        {
            return await preview.IsConfirmedAsync(plan, shown, Asks, signals.Drain) ? null : report.Declined(shown);
        }
        catch (OperationCanceledException)
        {
            await Messages.WriteLineAsync();
            report.Declined(shown);
            return ExitCode.Interrupted;
        }
    }
}
