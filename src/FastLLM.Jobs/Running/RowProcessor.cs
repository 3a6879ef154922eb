using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Pipeline;
using FastLLM.Retries;

namespace FastLLM.Jobs.Running;

/// <summary>Sends the rows of a job that are not kept, and writes their outcomes.</summary>
internal sealed class RowProcessor(JobSetup setup, ResumeState resume, RowSink sink, CostAccount costs) : IRowProcessor
{
    // How long an aborted run waits for the sends that it gave up, to count them.
    private static readonly TimeSpan s_abortPatience = TimeSpan.FromSeconds(1);

    // The request of a correction contains the answer that it corrects.
    private const int WorstCasesOfACorrection = 2;

    /// <inheritdoc/>
    public async Task<JobResult> RunAsync(CancellationToken drain, CancellationToken cancellationToken)
    {
        using var stopSending = CancellationTokenSource.CreateLinkedTokenSource(drain);
        RequestManagerOptions sending = setup.Manager.Options;
        StreamRun<LlmResponse>? run = null;
        OutputRecord record = setup.NewRecord(() => run?.Bottleneck ?? Bottleneck.None);
        var writer = new JobWriter(sink, record, setup.Options);
        long? rows = setup.IsPipe ? null : setup.Index.Count;
        setup.Options.OnPlanned?.Invoke(rows, resume.Kept);
        LlmRunException? stopped = null;
        var isAborted = false;
        if (rows != resume.Kept)
        {
            var settings = new RunSettings
            {
                Total = rows - resume.Kept,
                Drain = stopSending.Token,
                EarlierCost = costs.EarlierCost,
                AnnounceInFlight = costs.Announce,
                Recorded = sink.Answers,
                HoldsSuspects = true,
                IsFedFreely = setup.IsPipe,
                WasAnswered = resume.Kept > resume.KeptFailures,
                Check = setup.Options.Answers?.Check,
            };
            run = setup.Manager.Open(PendingAsync(writer, stopSending.Token), settings, cancellationToken);
            (stopped, isAborted) = await WriteAllAsync(run, writer, stopSending, drain, cancellationToken).ConfigureAwait(false);
            if (stopped?.Kind == FailureKind.BudgetExhausted && !setup.IsPipe && setup.Options.Output != Job.Pipe)
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, cancellationToken);
                stopped = await WriteFoundAsync(writer, either.Token).ConfigureAwait(false) ?? stopped;
            }
        }

        OutcomeCounts counts = writer.Counts;
        decimal cost = run?.Cost(withReserved: isAborted) ?? 0;
        TokenStats stats = run?.Stats ?? new TokenStats();
        if (sending.Budget is null)
        {
            costs.AddWorstCases(writer.CountUnrecorded(stats) * (setup.Options.Answers is null ? 1 : WorstCasesOfACorrection));
        }

        return new JobResult
        {
            Rows = setup.Index.Count,
            Kept = resume.Kept,
            Answered = counts.Answered,
            Failed = resume.EarlierFailures + counts.Failed,
            Pending = Math.Max(0, setup.Index.Count - resume.Kept - counts.Answered - counts.Failed),
            Equal = setup.Equal,
            Failures = counts.Failures,
            FinishReasons = counts.FinishReasons,
            Distribution = counts.Tally?.ToDistribution(),
            Cost = cost,
            JobCost = costs.EarlierCost + cost,
            Budget = sending.Budget,
            Stats = writer.Count(stats),
            Stopped = stopped,
            Interrupted = isAborted || drain.IsCancellationRequested,
        };
    }

    private async Task<(LlmRunException? Stopped, bool IsAborted)> WriteAllAsync(
        StreamRun<LlmResponse> run,
        JobWriter writer,
        CancellationTokenSource stopSending,
        CancellationToken drain,
        CancellationToken cancellationToken)
    {
        LlmRunException? stopped = null;
        Exception? fault = sink.Fault;
        bool isAborted = false, isLost = false;
        try
        {
            if (fault is not null)
            {
                await stopSending.CancelAsync().ConfigureAwait(false);
            }

            await foreach (ResponseWrapper<LlmResponse> outcome in run.Outcomes.ConfigureAwait(false))
            {
                if (isLost)
                {
                    continue;
                }

                try
                {
                    decimal cost = writer.Write(outcome);
                    costs.Written(cost);
                    run.NoteRecorded(outcome, cost);
                    fault ??= sink.Fault;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    fault ??= e;
                    isLost = true;
                }

                if (fault is not null && !stopSending.IsCancellationRequested)
                {
                    // What cannot be written is not paid for: nothing more is sent, and what is in flight is awaited.
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

        if (cancellationToken.IsCancellationRequested)
        {
            isAborted = true; // also if it had stopped before
            await run.WhenNoneIsUnderWayAsync().WaitAsync(s_abortPatience, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        try
        {
            writer.Flush();
        }
        catch (IOException e)
        {
            fault ??= e;
        }

        if (fault is not null)
        {
            stopped = fault == sink.Fault ? StoppedBy(FailureKind.Output, fault.Message, fault) : StoppedByFile(fault);
        }

        return (stopped, isAborted);
    }

    // A budget that is used up withholds only what must be sent: rows that the output or the cache answers cost nothing. A pipe is not read
    // on, since it may have no end.
    private async Task<LlmRunException?> WriteFoundAsync(JobWriter writer, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (PlannedRow row in setup.Index.ReadPendingAsync(resume, reusesRows: true, cancellationToken).ConfigureAwait(false))
            {
                if (row.Request is null)
                {
                    writer.WriteInvalid(row);
                }
                else if (await FindAsync(row, cancellationToken).ConfigureAwait(false) is { } outcome)
                {
                    writer.Write(row, outcome);
                }
            }

            return null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return StoppedByFile(e);
        }
        catch (InvalidDataException e)
        {
            return StoppedBy(FailureKind.InvalidRequest, e.Message, e);
        }
    }

    // As the engine does: the cache first, then the records of equal rows.
    private async ValueTask<ResponseWrapper<LlmResponse>?> FindAsync(PlannedRow row, CancellationToken cancellationToken)
    {
        LlmRequest request = row.Request!;
        if (setup.Manager.Answers is { } answers && await answers.GetAsync(request, setup.Options.Answers?.Check, cancellationToken)
            .ConfigureAwait(false) is ({ IsFound: true, Response: { } cached }, null))
        {
            return new ResponseWrapper<LlmResponse>(cached, request.Key, row.Place, usage: null) { IsCacheHit = true };
        }

        return sink.Answers?.Find(request.Key) is { } body && LlmResponse.FromBody(body) is var shared
            && setup.Options.Answers?.Check.Passes(shared) != false
            ? new ResponseWrapper<LlmResponse>(shared, request.Key, row.Place, usage: null) { IsShared = true } : null;
    }

    // The rows to send, in input order. Invalid rows are written on the way.
    private async IAsyncEnumerable<LlmRequest> PendingAsync(JobWriter writer, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long sent = 0;
        await foreach (PlannedRow row in
            setup.Index.ReadPendingAsync(resume, reusesRows: false, cancellationToken).ConfigureAwait(false))
        {
            await writer.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
            if (row.Request is null)
            {
                writer.WriteInvalid(row);
                continue;
            }

            writer.Expect(row);
            setup.Options.OnRowSending?.Invoke(row.Id, row.Request);
            yield return row.Request;
            if (++sent == setup.Options.MaxSends)
            {
                yield break;
            }
        }
    }

    private LlmRunException StoppedByFile(Exception fault) => StoppedBy(
        FailureKind.Output, $"Reading {setup.Input.Name} or writing {setup.Shape.Log} failed: {FileFault.Describe(fault)}", fault);

    /// <summary>Creates the exception of a run that stops because of a fault of its input or output.</summary>
    public static LlmRunException StoppedBy(FailureKind kind, string message, Exception? fault = null)
    {
        var cause = new LlmException(kind, message, fault);
        return new LlmRunException($"{FailureTable.Sentence(message)} {FailureTable.Remedy(kind)}", cause, []);
    }
}
