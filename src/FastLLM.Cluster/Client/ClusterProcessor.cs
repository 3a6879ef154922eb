using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Running;

namespace FastLLM.Cluster.Client;

/// <summary>Has the rows of a job processed by the cluster, and writes their records as chunks are completed.</summary>
/// <remarks>The id of a job follows from its rows, so the same command finds the job again, whatever is in the output by then. Rows that no
/// job of that id answers (the run before was local, or is to be repeated for rows that failed) are a further job.</remarks>
internal sealed class ClusterProcessor(
    JobStore jobs, BudgetStore budgets, Submission submission, JobFollower follower, JobSpec spec, JobSetup setup, ResumeState resume,
    RowSink sink, CostAccount costs) : IRowProcessor
{
    private readonly RecordCounter _counter = new(setup.Options);
    private decimal _earlier = costs.EarlierCost;
    private string _job = "JOB";

    /// <inheritdoc/>
    public async Task<JobResult> RunAsync(CancellationToken drain, CancellationToken cancellationToken)
    {
        long rows = setup.Index.Count;
        setup.Options.OnPlanned?.Invoke(rows, resume.Kept);
        LlmRunException? stopped = null;
        var isInterrupted = false;
        ClusterJob? job = null;
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, cancellationToken);
            string id = JobIdentity.Of(setup.Options.Input, setup.Index.Rows, spec);
            for (var generation = 1; Pending > 0 && stopped is null; generation++)
            {
                string next = _job = JobIdentity.Of(id, generation);
                (job, bool isLast) = await ProcessAsync(next, either.Token).ConfigureAwait(false);
                _earlier = Math.Max(_earlier, await ReadCostAsync(next, either.Token).ConfigureAwait(false));
                if (job is { State: ClusterJob.Stopped })
                {
                    stopped = RowProcessor.StoppedBy(
                        BudgetStore.IsUsedUp(job.Reason) ? FailureKind.BudgetExhausted : FailureKind.Provider,
                        $"The job {next} has stopped: {job.Reason}");
                }

                if (isLast)
                {
                    break;
                }
            }
        }
        catch (LlmRunException e)
        {
            stopped = e; // the output cannot be written
        }
        catch (OperationCanceledException) when (drain.IsCancellationRequested || cancellationToken.IsCancellationRequested)
        {
            isInterrupted = true;
            setup.Say($"The job continues on the workers. The same command shows it again; to end it: fastllm cancel {_job}");
        }

        sink.Flush();
        return Result(job, stopped, isInterrupted);
    }

    private long Pending => setup.Index.Count - resume.Kept - _counter.Counts.Answered - _counter.Counts.Failed;

    // A new job has all rows that were pending. A job that was canceled meanwhile is not followed by another one.
    private async Task<(ClusterJob Job, bool IsLast)> ProcessAsync(string id, CancellationToken cancellationToken)
    {
        ClusterJob? known = await StoreFault.GuardAsync(() => jobs.FindAsync(id, cancellationToken)).ConfigureAwait(false);
        submission.EarlierCost = _earlier;
        string name = Path.GetFileName(setup.Options.Input);
        long? submitted = known is not null ? null : await StoreFault.GuardAsync(
            () => submission.SubmitAsync(
                id, name, spec, setup.Index.ReadPendingAsync(resume, reusesRows: true, cancellationToken), cancellationToken))
            .ConfigureAwait(false);
        bool isNew = submitted is not null;
        if (isNew)
        {
            setup.Say($"Submitted as {id}.");
        }
        else
        {
            setup.Say($"Continuing {id}.");
            await ResumeAsync(id, cancellationToken).ConfigureAwait(false);
        }

        // Rows that failed in an earlier job are sent again where the user wants them to be.
        bool hadEnded = known is { State: ClusterJob.Done or ClusterJob.Canceled };
        bool skipsFailures = hadEnded && (setup.Options.RetryFailed || setup.Options.Fresh);
        ClusterJob job = await follower.FollowAsync(id, line => Write(line, skipsFailures), cancellationToken).ConfigureAwait(false);
        return (job, isNew || (!hadEnded && !job.IsDone));
    }

    // With what is in no record: the next job has the same budget.
    private async Task<decimal> ReadCostAsync(string id, CancellationToken cancellationToken) =>
        spec.Sending.Budget is not null
            && await StoreFault.GuardAsync(() => budgets.FindAsync(id, cancellationToken)).ConfigureAwait(false) is { } budget
            ? budget.Paid + budget.MaybePaid + budget.Lent
            : 0;

    private async Task ResumeAsync(string id, CancellationToken cancellationToken)
    {
        if (spec.Sending.Budget is { } budget)
        {
            await StoreFault.GuardAsync(() => budgets.SetAsync(id, budget, _earlier, cancellationToken)).ConfigureAwait(false);
        }

        bool isResumed = await StoreFault.GuardAsync(() => jobs.ChangeStateAsync(
            id, ClusterJob.Running, [ClusterJob.Stopped], reason: null, cancellationToken)).ConfigureAwait(false);
        if (isResumed)
        {
            await submission.PublishAsync(id, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Write(ReadOnlyMemory<byte> line, bool skipsFailures)
    {
        OutputEntry entry = OutputLine.Read(line.Span, 0, line.Length);
        RowIndex rows = setup.Index.Rows;
        int place = entry.IsDamaged ? -1 : rows.Find(RowIndex.Fingerprint(entry.CustomId));
        if (place < 0 || rows.RecordOf(place) != RowIndex.NoRecord || !rows.IsRecordOf(place, entry) || (skipsFailures && !entry.Succeeded))
        {
            return;
        }

        try
        {
            sink.Write(place, line.Span);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string message = $"Writing {setup.Shape.Log} failed: {e.Message} The job continues on the workers; run the command again.";
            throw RowProcessor.StoppedBy(FailureKind.Output, message, e);
        }

        costs.Written(entry.Cost ?? 0);
        _counter.Add(line, entry);
    }

    private JobResult Result(ClusterJob? job, LlmRunException? stopped, bool isInterrupted) => new()
    {
        Rows = setup.Index.Count,
        Kept = resume.Kept,
        Answered = _counter.Counts.Answered,
        Failed = resume.EarlierFailures + _counter.Counts.Failed,
        Pending = Math.Max(0, Pending),
        Equal = setup.Equal,
        Failures = _counter.Counts.Failures,
        FinishReasons = _counter.Counts.FinishReasons,
        Distribution = _counter.Counts.Tally?.ToDistribution(),
        Cost = _counter.Cost,
        JobCost = Math.Max(_earlier, costs.EarlierCost + _counter.Cost),
        Budget = setup.Manager.Options.Budget,
        Stats = follower.Latest with
        {
            RequestsCompleted = _counter.Counts.Answered + _counter.Counts.Failed,
            Failed = _counter.Counts.Failed,
        },
        Stopped = stopped ?? (job is { State: ClusterJob.Canceled } && Pending > 0
            ? RowProcessor.StoppedBy(FailureKind.Canceled, $"The job {job.Id} was canceled.")
            : null),
        Interrupted = isInterrupted,
    };
}
