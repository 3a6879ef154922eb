using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Reports the plan, the failures and the end of a run, and determines the exit code.</summary>
internal sealed class RunReport(
    JobOptions job, RunProgress progress, JsonEvents? events, TextWriter messages, TextWriter errors, string resumeCommand)
{
    private const string Interrupted = "Interrupted before anything was sent.";

    private readonly HashSet<string> _shown = new(StringComparer.Ordinal);

    private static int? Width => Console.IsErrorRedirected ? null : HelpWriter.TerminalWidth();

    /// <summary>Registers the callbacks of the job and the manager.</summary>
    public void Observe(RequestManagerOptions options, string baseUrl, bool verbose)
    {
        job.OnNotice = text => Once(text, progress.Notice);
        job.OnWarning = text => Once(text, progress.Warn);
        job.OnPlanned = (rows, kept) => progress.Start(job, baseUrl, rows, kept);
        job.OnRowFailed = (id, failure) =>
        {
            progress.RowFailed(id, failure);
            if (SchemaHint.On(job, failure) is { } hint)
            {
                Once(hint, progress.Warn);
            }
        };
        options.Progress = progress;
        options.Logger = new NoticeLogger(progress.Notice, verbose);
    }

    // Planning, the preview and the run read the same files, and find the same.
    private void Once(string text, Action<string> show)
    {
        lock (_shown)
        {
            if (!_shown.Add(text))
            {
                return;
            }
        }

        show(text);
    }

    /// <summary>Runs a job to its end and reports the result.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> CompleteAsync(Func<Task<JobResult>> run, CancellationToken drain) => GuardAsync(async () =>
    {
        JobResult result;
        using (drain.UnsafeRegister(static progress => ((RunProgress)progress!).BeginDrain(), progress))
        {
            result = await run();
        }

        await progress.DisposeAsync();
        return Report(result);
    });

    /// <summary>Writes the output from what is answered so far, and reports how much that is.</summary>
    /// <returns>The exit code: that of a run that stopped, unless every row has an outcome.</returns>
    public Task<int> WritePartialAsync(Func<Task<JobResult>> write) => GuardAsync(async () =>
    {
        JobResult result = await write();
        int exit = ExitCode.Of(result);
        progress.Announce(job, baseUrl: null, result.Rows, result.Kept);
        SayPartial(result);
        Summary.WriteDistribution(messages, result.Distribution, Width);
        if (result.IsPartial)
        {
            messages.WriteLine($"To process the rest: {TerminalText.Clean(resumeCommand)}");
        }
        else
        {
            progress.Notice(FormattableString.Invariant($"{result.OutputFile} is complete: all {result.Rows:N0} rows have an outcome."));
        }

        events?.Done(exit, new Summary(result, result.IsPartial ? resumeCommand : null));
        return exit;
    });

    /// <summary>Reports what a run would send and cost.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> EstimateAsync(Func<Task<JobPlan>> run, TextWriter output) => GuardAsync(async () =>
    {
        JobPlan estimate = await run();
        if (events is not null)
        {
            events.Estimate(estimate);
            return events.IsClosed ? ExitCode.Usage : ExitCode.Ok;
        }

        EstimateText.Write(output, estimate);
        return ExitCode.Ok;
    });

    /// <summary>Runs an action and reports invalid input, interruption and I/O errors.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> GuardAsync(Func<Task<int>> action)
    {
        try
        {
            return await action();
        }
        catch (BatchFormatException e)
        {
            string lines = FormattableString.Invariant($"{e.ErrorCount:N0} invalid {(e.ErrorCount == 1 ? "line" : "lines")}");
            string head = $"{job.Input}: {lines}; nothing was sent. Fix the input, or use --skip-invalid to process the other rows.";
            return await RejectAsync([head, .. e.Message.Split('\n')]);
        }
        catch (OperationCanceledException)
        {
            await progress.DisposeAsync();
            await errors.WriteLineAsync(Interrupted);
            events?.Error(ExitCode.Interrupted, Interrupted);
            return ExitCode.Interrupted;
        }
        catch (InvalidDataException e)
        {
            return await RejectAsync(e.Message.Split(Environment.NewLine));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return await RejectAsync(FileFault.Describe(e));
        }
    }

    /// <summary>Reports the result of a run that ends before all rows were sent, because the user did not confirm.</summary>
    public int Declined(JobResult result)
    {
        messages.WriteLine(FormattableString.Invariant($"Not confirmed. {result.Pending:N0} rows were not sent; what was sent is kept."));
        messages.WriteLine($"To send the others: {TerminalText.Clean(resumeCommand)}");
        return ExitCode.Stopped;
    }

    /// <summary>Reports a result, and returns the exit code.</summary>
    public int Report(JobResult result)
    {
        result = result.CheckOutput(); // as late as possible
        int exit = ExitCode.Of(result);
        bool isComplete = exit is ExitCode.Ok or ExitCode.SomeFailed;
        var summary = new Summary(result, isComplete ? null : resumeCommand, OffersNoDedup: !job.NoDedup)
        {
            Width = Width,
            IsSimulated = job.IsSimulated,
        };
        if (result.Stopped is { } stopped)
        {
            errors.WriteLine(TerminalText.Clean(stopped.Message));
        }

        SayPartial(result);
        if (isComplete && result is { Answered: 0, Pending: 0, Failures.Count: 0 } && result.Rows == result.Kept)
        {
            progress.Notice(NothingToDo(result));
            Summary.WriteDistribution(messages, result.Distribution, Width);
        }
        else
        {
            summary.Write(messages);
            if (!isComplete && ReferenceEquals(messages, TextWriter.Null))
            {
                errors.WriteLine(TerminalText.Clean(resumeCommand));
            }
        }

        events?.Done(exit, summary);
        return exit;
    }

    private void SayPartial(JobResult result)
    {
        if (result.IsPartial)
        {
            progress.Warn(FormattableString.Invariant(
                $"{result.OutputFile} is partial: {result.Rows - result.Pending:N0} of {result.Rows:N0} rows have an outcome."));
        }
    }

    private string NothingToDo(JobResult result)
    {
        if (result.Rows == 0)
        {
            return $"Nothing is left to do: {(job.Input == Job.Pipe ? "standard input" : job.Input)} has no rows.";
        }

        string failed = result.Failed > 0
            ? FormattableString.Invariant($" {result.Failed:N0} of them failed; use --retry-failed to send those again.")
            : "";
        return FormattableString.Invariant($"Nothing is left to do: all {result.Rows:N0} rows are in {job.Output}.{failed}");
    }

    // Every line is cleaned on its own: names of files and IDs may contain line breaks.
    private async Task<int> RejectAsync(params string[] lines)
    {
        await progress.DisposeAsync();
        foreach (string line in lines)
        {
            await errors.WriteLineAsync(TerminalText.Clean(line.TrimEnd()));
        }

        events?.Error(ExitCode.Usage, string.Join(Environment.NewLine, lines.Select(line => line.TrimEnd())));
        return ExitCode.Usage;
    }
}
