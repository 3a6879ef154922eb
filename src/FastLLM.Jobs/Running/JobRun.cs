using System.Runtime.CompilerServices;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Tables;
using FastLLM.Pipeline;
using FastLLM.Retries;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Running;

/// <summary>Runs a planned job once: opens and repairs the output, resumes, sends, writes, and finishes the output.</summary>
internal sealed class JobRun(JobSetup setup)
{
    private readonly JobOptions _options = setup.Options;

    /// <inheritdoc cref="Job.RunAsync(JobPlan, CancellationToken, CancellationToken)"/>
    public async Task<JobResult> RunAsync(JobPlan? planned, CancellationToken drain, CancellationToken cancellationToken)
    {
        setup.RefuseUnbounded();
        if (setup.Equal > 0 && !_options.NoDedup)
        {
            setup.Say($"{setup.Equal:N0} of {setup.Index.Rows.Count:N0} rows repeat the request of another row and share its answer. For an answer each: --no-dedup, or --samples N for N answers a row.");
        }

        if (_options.Output == Job.Pipe)
        {
            using var pipe = new PipeSink(OpenStandardOutput(), inOrder: _options.Order == ResultOrder.Input);
            return await SendAsync(pipe, setup.NewResumeState(), new CostAccount(null, 0), drain, cancellationToken).ConfigureAwait(false);
        }

        using OutputFile output = OutputFile.Open(setup.Shape.Log);
        string? table = setup.Shape.IsLog ? null : OutputPath.Check(setup.Shape.Path);
        using var journal = new CostJournal(output.Path);
        Prepare(output, table, journal);
        ResumeState resume = Resume(output, planned);
        journal.Read();
        if (journal.InFlight is { } inFlight)
        {
            setup.Say($"An earlier run of {_options.Output} was killed. At most ${inFlight:0.##########} were in flight and may be paid without a record; they are not counted.");
        }

        var costs = new CostAccount(journal, resume.Cost);
        JobResult result = await SendAsync(new FileSink(output, setup.Index.Rows), resume, costs, drain, cancellationToken).ConfigureAwait(false);
        if (table is not null)
        {
            result = await ExportAsync(result, cancellationToken).ConfigureAwait(false);
        }

        result = Sort(output, result, out bool isSorted);
        costs.End(result.Cost, isSorted ? output.Path : null, setup.Say);
        return result;
    }

    private void Prepare(OutputFile output, string? table, CostJournal journal)
    {
        if (_options.Fresh)
        {
            OutputPath.SetAside(output.Path);
            if (table is not null)
            {
                OutputPath.SetAside(table);
            }

            journal.Delete();
        }
        else if (table is not null && File.Exists(table) && !File.Exists(output.Path))
        {
            throw new IOException($"{_options.Output} exists without the log to resume from ({setup.Shape.Log}). Name another file, or add --fresh to set it aside.");
        }
    }

    private ResumeState Resume(OutputFile output, JobPlan? planned)
    {
        string log = setup.Shape.Log;
        OutputScan.RefuseOther(output.Path);
        if (output.RepairTornTail() is > 0 and var cut)
        {
            setup.Say($"The last line of {log} was torn; its {cut:N0} bytes are kept in {log}.torn, and its row is sent again.");
        }

        ResumeState resume = setup.NewResumeState();
        resume.Read(output.Path);
        if (planned is not null && (planned.Kept, planned.Recorded) != (resume.Kept, resume.Cost))
        {
            throw new IOException($"{log} has changed since the job was planned; nothing was sent. Plan it again.");
        }

        if (resume.Damaged > 0)
        {
            File.Copy(log, log + ".damaged", overwrite: true);
        }

        foreach (string notice in resume.Notices(log))
        {
            _options.OnNotice?.Invoke(notice);
        }

        return resume;
    }

    private async Task<JobResult> SendAsync(
        RowSink sink, ResumeState resume, CostAccount costs, CancellationToken drain, CancellationToken cancellationToken)
    {
        using var stopSending = CancellationTokenSource.CreateLinkedTokenSource(drain);
        RequestManagerOptions sending = setup.Manager.Options;
        StreamRun<LlmResponse>? run = null;
        var record = new OutputRecord(
            _options.IncludeMetadata, sending.TimeProvider, () => run?.Bottleneck ?? Bottleneck.None, withCosts: sending.Prices is not null);
        var writer = new JobWriter(sink, record, _options);
        long? total = setup.IsPipe ? null : setup.Index.Count - resume.Kept;
        _options.OnPlanned?.Invoke(setup.IsPipe ? null : setup.Index.Count, resume.Kept);
        LlmRunException? stopped = null;
        var isAborted = false;
        if (total != 0)
        {
            var settings = new RunSettings
            {
                Total = total,
                Drain = stopSending.Token,
                EarlierCost = costs.EarlierCost,
                AnnounceInFlight = costs.Announce,
                HoldsSuspects = true,
            };
            run = setup.Manager.Open(PendingAsync(resume, writer, stopSending.Token), settings, cancellationToken);
            (stopped, isAborted) = await WriteAllAsync(run, writer, costs, stopSending, drain, cancellationToken).ConfigureAwait(false);
        }

        JobCounts counts = writer.Counts;
        decimal cost = run?.Cost(withReserved: isAborted) ?? 0;
        return new JobResult
        {
            Rows = setup.Index.Count,
            Kept = resume.Kept,
            Answered = counts.Answered,
            Failed = resume.KeptFailures + counts.Failed,
            Pending = Math.Max(0, setup.Index.Count - resume.Kept - counts.Answered - counts.Failed),
            Equal = setup.Equal,
            Failures = counts.Failures,
            FinishReasons = counts.FinishReasons,
            Cost = cost,
            JobCost = costs.EarlierCost + cost,
            Budget = sending.Budget,
            Stats = run?.Stats ?? new TokenStats(),
            Stopped = stopped,
            Interrupted = isAborted || drain.IsCancellationRequested,
        };
    }

    private async Task<(LlmRunException? Stopped, bool IsAborted)> WriteAllAsync(
        StreamRun<LlmResponse> run, JobWriter writer, CostAccount costs, CancellationTokenSource stopSending, CancellationToken drain, CancellationToken cancellationToken)
    {
        LlmRunException? stopped = null;
        Exception? fault = null;
        var isAborted = false;
        try
        {
            await foreach (ResponseWrapper<LlmResponse> outcome in run.Outcomes.ConfigureAwait(false))
            {
                if (fault is not null)
                {
                    continue;
                }

                try
                {
                    decimal cost = writer.Write(outcome);
                    costs.Written(cost);
                    run.RecordCost(cost);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // What cannot be written is not paid for: nothing more is sent, and what is in flight is awaited.
                    fault = e;
                    await stopSending.CancelAsync().ConfigureAwait(false);
                }
            }
        }
        catch (LlmRunException e)
        {
            stopped = drain.IsCancellationRequested && e.Kind == FailureKind.NotSent ? null : e;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            isAborted = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e; // an invalid row could not be written, or the input could not be read
        }
        catch (InvalidDataException e)
        {
            stopped = StoppedBy(FailureKind.InvalidRequest, e.Message, e);
        }

        try
        {
            writer.Flush();
        }
        catch (IOException e)
        {
            fault ??= e;
        }

        return (fault is null ? stopped : StoppedBy(FailureKind.Output, $"Reading {_options.Input} or writing {setup.Shape.Log} failed: {fault.Message}", fault), isAborted);
    }

    // The rows to send, in input order. Invalid rows are written on the way.
    private async IAsyncEnumerable<LlmRequest> PendingAsync(ResumeState resume, JobWriter writer, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (PlannedRow row in setup.Index.ReadAsync(resume, cancellationToken).ConfigureAwait(false))
        {
            if (!row.IsWithinLimit)
            {
                yield break;
            }

            if (row.IsKept)
            {
                continue;
            }

            await writer.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
            if (row.Request is null)
            {
                writer.WriteInvalid(row);
                continue;
            }

            writer.Expect(row);
            yield return row.Request;
        }
    }

    private async Task<JobResult> ExportAsync(JobResult result, CancellationToken cancellationToken)
    {
        if (!IsDone(result))
        {
            setup.Say($"{_options.Output} is written when every row has an outcome; the outcomes so far are in {setup.Shape.Log}.");
            return result;
        }

        try
        {
            bool withId = _options.Template is null || _options.Samples > 1;
            await new TableExport(setup.Shape, setup.Columns, withId).WriteAsync(setup.Index.ReadRecordsAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
            return result;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return result with { Stopped = StoppedBy(FailureKind.Output, $"{setup.Shape.Log} holds every outcome, but {_options.Output} cannot be made from it: {e.Message}", e) };
        }
        catch (OperationCanceledException)
        {
            return result with { Interrupted = true };
        }
    }

    private JobResult Sort(OutputFile output, JobResult result, out bool isSorted)
    {
        isSorted = false;

        // Rows of a pipe beyond the limit are unknown: sorting would drop their records.
        bool areAllRowsKnown = !setup.IsPipe || _options.Limit is null;
        if (!IsDone(result) || _options.Order != ResultOrder.Input || !areAllRowsKnown)
        {
            return result;
        }

        try
        {
            output.Sort(setup.Index.Rows.Count, setup.Index.Rows.RecordOf);
            isSorted = true;
            return result;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return result with { Stopped = StoppedBy(FailureKind.Output, $"{setup.Shape.Log} holds every outcome, but cannot be sorted: {e.Message}", e) };
        }
    }

    private static bool IsDone(JobResult result) => result is { Pending: 0, Stopped: null, Interrupted: false };

    private static LlmRunException StoppedBy(FailureKind kind, string message, Exception fault)
    {
        var cause = new LlmException(kind, message, fault);
        return new LlmRunException($"{message} {FailureTable.Remedy(kind)}", cause, []);
    }

    // The console's own stream ignores a closed pipe; this one throws, and the run stops.
    private static Stream OpenStandardOutput() => OperatingSystem.IsWindows()
        ? Console.OpenStandardOutput()
        : new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
}
