using System.Globalization;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.RateLimiting;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Running;

/// <summary>Runs a job once: opens and repairs the output, resumes, processes the rows, and finishes the output.</summary>
internal sealed class JobRun(JobSetup setup)
{
    private readonly JobOptions _options = setup.Options;

    /// <inheritdoc cref="Job.RunAsync(JobPlan, CancellationToken, CancellationToken)"/>
    public async Task<JobResult> RunAsync(JobPlan? planned, CancellationToken drain, CancellationToken cancellationToken)
    {
        setup.RefuseUnbounded();
        setup.SayForm();
        if (setup.Equal > 0 && !_options.NoDedup)
        {
            string rows = string.Create(CultureInfo.InvariantCulture, $"{setup.Equal:N0} of {setup.Index.Count:N0} rows");
            setup.Say($"{rows} share the answer of an equal row. For an answer each: --no-dedup, or --samples N.");
        }

        if (_options.Output == Job.Pipe)
        {
            using var pipe = new PipeSink(OpenStandardOutput(), inOrder: _options.Order == ResultOrder.Input, setup.Index.Answers);
            var unstored = new CostAccount(journal: null, recorded: 0, setup.Manager.Costs);
            IRowProcessor toPipe = setup.NewProcessor(setup.NewResumeState(), pipe, unstored);
            return await toPipe.RunAsync(drain, cancellationToken).ConfigureAwait(false);
        }

        if (_options.Log is { } log)
        {
            setup.Say($"{log} is the log of {_options.Output}: the run resumes from it.");
        }

        using OutputFile output = OutputFile.Open(setup.Shape.Log, setup.Manager.Options.TimeProvider);
        output.OnDisturbed = _options.Warn;
        string? table = setup.Shape.IsLog ? null : OutputPath.Check(setup.Shape.Path);
        using var journal = new CostJournal(output.Path);
        Prepare(output, table, journal);
        RefreshJournal refreshes = setup.ReadRefreshes(output.Path);
        ResumeState resume = Resume(output, planned, refreshes);
        journal.Read();
        UnstatedCosts unstated = resume.Unstated;
        await unstated.CountAsync(setup, resume, journal, cancellationToken).ConfigureAwait(false);
        if (planned is null && unstated.Notice(setup.Shape.Log) is { } notice)
        {
            setup.Say(notice);
        }

        if (journal.IsBlank)
        {
            setup.Warn($"{journal.Path} is blank, as a full disk or a power loss leaves it: the cost that it stored is not counted.");
        }

        if (journal.InFlight is { } inFlight)
        {
            string most = FormattableString.Invariant($"${inFlight:0.##########}");
            setup.Say($"An earlier run of {_options.Output} was killed. At most {most} were in flight; they are not counted.");
        }

        var costs = new CostAccount(journal, resume.Cost, setup.Manager.Costs, unstated.Cost);
        setup.Manager.Costs.Expect(journal.Factor);
        if (_options.NewProcessor is null && (setup.IsPipe || resume.Kept < setup.Index.Count))
        {
            refreshes.Begin(resume.LatestRefresh, setup.Manager.Options.TimeProvider.GetUtcNow());
        }

        setup.Refresh = refreshes.Number;
        output.Reserve.Hold();
        using var sink = new FileSink(output, setup.Index.Rows, setup.Index.Answers);
        IRowProcessor toFile = setup.NewProcessor(resume, sink, costs);
        using LimitJournal? limits = OpenLimits(output);
        JobResult result;
        try
        {
            result = await toFile.RunAsync(drain, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            output.Reserve.Dispose(); // nothing is in flight any more, and the table and the sorted file need room
            if (limits is not null)
            {
                setup.Manager.Limiters.EndAnnouncements(limits.Announce);
            }
        }

        if (result.Rows == 0 && resume.HasRecords)
        {
            setup.Warn($"{(setup.IsPipe ? "Standard input" : setup.Input.Name)} has no rows, so {_options.Output} stays as it is.");
            return result with { OutputFile = _options.Output };
        }

        var finish = new JobFinish(setup, output, resume);
        JobTable? export = table is null ? null : new JobTable(setup);
        (JobResult readBack, result, bool isSorted) = await FinishAsync(result).ConfigureAwait(false);
        if (readBack.IsDone && !result.IsDone && !result.Interrupted)
        {
            // Something else may have changed the log since it was read back: what is lost is written again, or reported.
            (JobResult again, JobResult mended, bool isMendedSorted) = await FinishAsync(readBack).ConfigureAwait(false);
            (result, isSorted) = mended.IsDone || !again.IsDone ? (mended, isMendedSorted) : (result, isSorted);
        }

        result = result with { OutputFile = result.OutputFile ?? (File.Exists(output.Path) ? setup.Shape.Log : null) };
        decimal dropped = isSorted ? unstated.Replaced : 0;
        costs.AddWorstCases(isSorted ? unstated.ReplacedWorstCases : 0);
        costs.End(result.Cost + dropped, finish.StatedCost(isSorted), result.IsDone, setup.Say);
        EndRefresh(refreshes, result);
        return result.CheckOutput();

        async Task<(JobResult ReadBack, JobResult Result, bool IsSorted)> FinishAsync(JobResult last)
        {
            last = await ReadBackAsync(finish, last, cancellationToken).ConfigureAwait(false);
            if (resume.Kept > 0 && _options.Answers is { } form)
            {
                last = last with { Distribution = OutputTally.Of(form, setup.Shape.Log, setup.Index.Rows) ?? last.Distribution };
            }

            JobResult next = export is null ? last : await export.ExportAsync(last, cancellationToken).ConfigureAwait(false);
            next = Sort(output, next, out bool isLogSorted);
            next = export is null ? next : await export.KeepAsync(next, isLogSorted, cancellationToken).ConfigureAwait(false);
            return (last, export is null ? next : next with { Finished = export.Finished }, isLogSorted);
        }
    }

    private void EndRefresh(RefreshJournal refreshes, JobResult result)
    {
        try
        {
            if (result.IsDone)
            {
                refreshes.End(isWhole: _options is { Limit: null, RandomRows: null });
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            setup.Warn($"{refreshes.Path} cannot be deleted ({e.Message}): delete it, or the next refresh keeps what this one has done.");
        }
    }

    // A run that resumes within the minute or the day knows what the last one has sent. A manager that runs on knows that itself.
    private LimitJournal? OpenLimits(OutputFile output)
    {
        if (setup.Manager.Options.RateLimits is not { IsConfigured: true })
        {
            return null;
        }

        var journal = new LimitJournal(output.Path, setup.Manager.Options.TimeProvider, setup.Warn);
        (IReadOnlyList<SentMinute> sent, double age) = setup.Manager.Stats.Sent == 0 ? journal.Read() : ([], 0);
        setup.Manager.Limiters.Continue(sent, age, journal.Announce);
        return journal;
    }

    private void Prepare(OutputFile output, string? table, CostJournal journal)
    {
        if (_options.Fresh)
        {
            output.SetAside();
            if (table is not null)
            {
                OutputPath.SetAside(table);
            }

            journal.Delete();
            File.Delete(output.Path + RefreshJournal.Suffix);
        }
        else if (table is not null && File.Exists(table) && !File.Exists(output.Path))
        {
            throw new IOException(
                $"{_options.Output} exists without the log to resume from ({setup.Shape.Log}). Name another file, or add --fresh.");
        }
    }

    private ResumeState Resume(OutputFile output, JobPlan? planned, RefreshJournal refreshes)
    {
        string log = setup.Shape.Log;
        OutputScan.RefuseOther(output.Path);
        if (output.RepairTornTail() is > 0 and var cut)
        {
            setup.Say($"The last line of {log} was torn; its {cut:N0} bytes are kept in {log}.torn, and its row is sent again.");
        }

        ResumeState resume = setup.NewResumeState(refreshes.Continued?.Number);
        resume.Read(output.Path);
        setup.RefuseOtherSample(resume);
        if (planned is not null && (planned.Kept, planned.Recorded) != (resume.Kept, resume.Cost))
        {
            throw new IOException($"{log} has changed since the job was planned; nothing was sent. Plan it again.");
        }

        if (resume.Damaged > 0)
        {
            string copy = DamagedCopy.Keep(output.Settle()!, output.Path, resume.DamagedEnd);
            setup.Say($"{resume.Damaged:N0} lines of {log} are no records and are skipped; {copy} is a copy of the file.");
        }

        bool isSorted = setup.IsSorted && (setup.IsPipe || setup.Index.Count > 0);
        foreach ((FormattableString notice, bool isWarning) in resume.Notices(log, isSorted))
        {
            (isWarning ? (Action<FormattableString>)setup.Warn : setup.Say)(notice);
        }

        return resume;
    }

    private async Task<JobResult> ReadBackAsync(JobFinish finish, JobResult result, CancellationToken cancellationToken)
    {
        try
        {
            (result, string? fault) = await finish.ReadBackAsync(result, result.IsDone, cancellationToken).ConfigureAwait(false);
            if (fault is not null && result is { Stopped: null, Interrupted: false })
            {
                return result.StoppedByOutput(fault);
            }

            if (fault is not null)
            {
                setup.Warn($"{fault}");
            }

            return result;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            long rows = result.Rows - result.Pending;
            FormattableString message = $"{setup.Shape.Log} cannot be read back: {e.Message} Up to {rows:N0} of its rows may be lost.";
            result = finish.Recount(result, succeeded: 0, failed: 0);
            if (result.Stopped is null)
            {
                return result.StoppedByOutput(FormattableString.Invariant(message), e);
            }

            setup.Warn(message);
            return result;
        }
        catch (OperationCanceledException)
        {
            return result with { Interrupted = true };
        }
    }

    private JobResult Sort(OutputFile output, JobResult result, out bool isSorted)
    {
        isSorted = false;
        if (!result.IsDone || !setup.IsSorted)
        {
            return result;
        }

        try
        {
            RowIndex rows = setup.Index.Rows;
            FileStatus? sorted = output.Sort(
                rows.Count, rows.RecordOf, (row, record) => rows.IsRecordOf(row, OutputLine.Read(record, 0, record.Length)));
            isSorted = true;
            return result with { Finished = sorted is { } status ? (output.Path, status) : null };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string message = $"{setup.Shape.Log} held every outcome, but cannot be sorted: {e.Message}";
            return result.StoppedByOutput($"{message} With --order completion, it is not sorted.", e);
        }
    }

    private static Stream OpenStandardOutput() => OperatingSystem.IsWindows()
        ? Console.OpenStandardOutput()
        : new DescriptorStream(new SafeFileHandle(1, ownsHandle: false));
}
