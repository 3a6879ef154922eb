using System.Diagnostics.CodeAnalysis;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Takes chunks, has their rows sent, and writes their outcomes, until it is drained.</summary>
/// <remarks>
/// <para>A chunk is taken with a token that is higher than that of every earlier holder. Its output is written only with the latest token,
/// in one transaction; only then is its message acknowledged. So a worker may end at any moment, and a late one changes nothing.</para>
/// <para>While the database is away, no chunk is taken, and what is complete waits for it. While the broker is away, the chunks in work are
/// finished.</para>
/// </remarks>
internal sealed class Worker(WorkerOptions options, string clusterId) : IDisposable
{
    /// <summary>The number of workers that a chunk may end before its rows fail.</summary>
    /// <remarks>Most workers end for a reason that is not in any chunk. A chunk that was there several times by chance must not
    /// fail.</remarks>
    public const int MaxCrashes = 8;

    // From so many on, a worker has the chunk without others, so that these are not suspected with it. It takes nothing else meanwhile, so
    // chunks that were only there when their workers were killed should not come so far.
    private const int SuspectCrashes = MaxCrashes / 2;

    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan s_sweep = TimeSpan.FromSeconds(1);

    // Many fields because everything that a worker shares with its chunks is put together here.
    private readonly ChunkStore _chunks = new(options.Store);
    private readonly JobStore _jobs = new(options.Store);
    private readonly WorkerLease _lease = new(options.Store.Time);
    private readonly StoreLink _store = new(options.Store.Time, options.Say);
    private readonly BrokerLink _link = new(options.Broker, clusterId, $"fastllm worker {options.Id}", options.Store.Time, options.Say);
    private readonly HeldChunks _held = new();
    private readonly RunnerTable _runners = new();
    private readonly FailedRows _failures = new(options.Store.Time);
    private readonly SemaphoreSlim _taking = new(1);
    private CancellationToken _abort;
    private CancellationToken _stopTaking;
    private volatile bool _isDraining;

    /// <summary>Works until drained.</summary>
    /// <param name="drain">Takes no more chunks, finishes those in work as far as there is time, and gives the others back.</param>
    /// <param name="abort">Ends at once; chunks in work go back.</param>
    public async Task RunAsync(CancellationToken drain, CancellationToken abort)
    {
        _abort = abort;
        using var stopTaking = CancellationTokenSource.CreateLinkedTokenSource(drain, abort);
        _stopTaking = stopTaking.Token;
        TimeProvider time = options.Store.Time;
        var workers = new WorkerStore(options.Store);
        var heartbeat = new Heartbeat(options.Id, workers, _lease, _store, time);
        var sweeper = new Sweeper(_chunks, workers, _lease, options.Say);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(abort);
        await heartbeat.RenewAsync(_held, _runners, ending.Token).ConfigureAwait(false);
        Task renewing = Loop.EveryAsync(s_renewal, token => heartbeat.RenewAsync(_held, _runners, token), time, ending.Token);
        Task sweeping = Loop.EveryAsync(s_sweep, token => sweeper.SweepAsync(_link.Session, token), time, ending.Token);
        Task linked = _link.RunAsync(session => session.ConsumeAsync(options.Prefetch, TakeAsync, ending.Token), ending.Token);

        await Loop.WaitForEitherAsync(drain, abort).ConfigureAwait(false);
        _isDraining = true;
        options.Say("Taking no more chunks.");
        if (_link.Session is { } session)
        {
            await session.StopConsumingAsync().ConfigureAwait(false);
        }

        await _runners.FinishAsync(options.DrainTime, time, abort).ConfigureAwait(false);
        await GiveBackAsync(_held.All).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(renewing, sweeping, linked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await StoreLink.TryAsync(() => workers.RemoveAsync(options.Id, CancellationToken.None)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _taking.Dispose();

    private async Task TakeAsync(Delivery delivery)
    {
        try
        {
            await _taking.WaitAsync(_abort).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        try
        {
            await TakeNextAsync(delivery).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_abort.IsCancellationRequested)
        {
        }
        finally
        {
            _taking.Release();
        }
    }

    // A message of a chunk that is in work, done, or another worker's is a repetition.
    private async Task TakeNextAsync(Delivery delivery)
    {
        if (_isDraining)
        {
            await delivery.ReturnAsync().ConfigureAwait(false);
        }
        else if (!_held.Contains(delivery.Chunk)
            && await _store.RepeatAsync(() => _chunks.TakeAsync(delivery.Chunk, options.Id, _abort), _abort).ConfigureAwait(false)
                is { } taken)
        {
            await BeginAsync(taken, delivery).ConfigureAwait(false);
        }
        else
        {
            await delivery.AckAsync().ConfigureAwait(false);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever keeps a chunk from being begun stops its job with a reason.")]
    private async Task BeginAsync(TakenChunk taken, Delivery delivery)
    {
        var chunk = new ChunkWork(taken, [], delivery);
        try
        {
            chunk = new ChunkWork(taken, ChunkReader.Read(taken.Input), delivery);
            _held.Add(chunk);
            if (taken.Crashes >= MaxCrashes)
            {
                options.Say(FailedRows.Reason(taken));
                _failures.AddAll(chunk, await ReadSpecAsync(taken.Id.Job).ConfigureAwait(false));
                await CompleteAsync(chunk).ConfigureAwait(false);
                return;
            }

            bool isSuspect = taken.Crashes >= SuspectCrashes;
            if (isSuspect)
            {
                await _held.WaitUntilAsync(most: 1, _stopTaking).ConfigureAwait(false);
            }

            JobRunner runner = await RunnerOfAsync(taken.Id.Job).ConfigureAwait(false);
            _failures.AddInvalid(chunk, runner.Spec);
            while (!runner.Add(chunk))
            {
                await _runners.LeaveAsync(runner).ConfigureAwait(false); // it was just ending
                if (_isDraining || !_held.Contains(taken.Id))
                {
                    return; // the chunk goes back, or its job was stopped
                }

                runner = await RunnerOfAsync(taken.Id.Job).ConfigureAwait(false);
            }

            if (isSuspect)
            {
                await _held.WaitUntilAsync(most: 0, _stopTaking).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopTaking.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            await StopJobAsync(taken.Id.Job, e.Message, [chunk]).ConfigureAwait(false);
        }
    }

    private async Task<JobRunner> RunnerOfAsync(string job)
    {
        if (_runners.Find(job) is { } known)
        {
            return known;
        }

        JobSpec spec = await ReadSpecAsync(job).ConfigureAwait(false);
        BudgetBorrower? budget = await _store.RepeatAsync(
            () => BudgetBorrower.OpenAsync(options.Store, job, options.Id, options.Say, _abort), _abort).ConfigureAwait(false);
        var shared = new SharedParts(options.Cache, options.Limits, budget);
        var engine = new WorkerEngine(spec, options.Connect(spec), shared, options.Store.Time);
        var runner = new JobRunner(job, spec, engine, _lease, CompleteAsync);
        options.Say($"Working on {job}.");
        _runners.Add(runner, RunToEndAsync(runner));
        return runner;
    }

    private async Task<JobSpec> ReadSpecAsync(string job) =>
        await _store.RepeatAsync(() => _jobs.ReadSpecAsync(job, _abort), _abort).ConfigureAwait(false)
        ?? throw new InvalidDataException("The job is gone.");

    // A run that cannot continue stops the job on all machines: its reason is the job's, such as a key that is refused.
    [SuppressMessage("Design", "CA1031", Justification = "Whatever ends a run stops its job with a reason.")]
    private async Task RunToEndAsync(JobRunner runner)
    {
        await Task.Yield();
        try
        {
            await runner.RunAsync(_abort).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            string reason = (e is LlmRunException ? e.InnerException ?? e : e).Message;
            await StopJobAsync(runner.Job, reason, _held.Of(runner.Job)).ConfigureAwait(false);
        }

        _runners.Remove(runner);
        await runner.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StopJobAsync(string job, string reason, ChunkWork[] left)
    {
        options.Say($"{job} stopped: {reason}");
        try
        {
            await _store.RepeatAsync(
                () => _jobs.ChangeStateAsync(job, ClusterJob.Stopped, [ClusterJob.Running], $"{reason} (worker {options.Id})", _abort),
                _abort).ConfigureAwait(false);
            await _store.RepeatAsync(() => _chunks.ReleaseAsync([.. left.Select(chunk => chunk.Taken)], _abort), _abort)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return; // the lease ends by itself
        }

        foreach (ChunkWork chunk in left)
        {
            _held.Remove(chunk);
            await chunk.Delivery.AckAsync().ConfigureAwait(false); // resuming the job publishes it again
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever keeps an output from being written stops its job with a reason.")]
    private async Task CompleteAsync(ChunkWork chunk)
    {
        byte[] output = chunk.PackOutput();
        bool isWritten;
        try
        {
            isWritten = await _store.RepeatAsync(() => _chunks.CompleteAsync(chunk.Taken, output, chunk.Counts, _abort), _abort)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return; // stays held, and goes back
        }
        catch (Exception e)
        {
            await StopJobAsync(chunk.Taken.Id.Job, $"The output cannot be written: {e.Message}", [chunk]).ConfigureAwait(false);
            return;
        }

        if (!isWritten)
        {
            options.Say(FormattableString.Invariant(
                $"Chunk {chunk.Taken.Id.Number} of {chunk.Taken.Id.Job} was another worker's by then; its outcomes are dropped."));
        }

        _held.Remove(chunk);
        await chunk.Delivery.AckAsync().ConfigureAwait(false);
    }

    private async Task GiveBackAsync(ChunkWork[] chunks)
    {
        if (chunks.Length == 0)
        {
            return;
        }

        options.Say(FormattableString.Invariant($"{chunks.Length:N0} chunks go back to the queue."));
        TakenChunk[] taken = [.. chunks.Select(chunk => chunk.Taken)];
        await StoreLink.TryAsync(() => _chunks.ReleaseAsync(taken, CancellationToken.None)).ConfigureAwait(false);
        foreach (ChunkWork chunk in chunks)
        {
            await chunk.Delivery.ReturnAsync().ConfigureAwait(false);
        }
    }
}
