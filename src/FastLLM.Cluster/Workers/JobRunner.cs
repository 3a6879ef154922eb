using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using FastLLM.Cluster.Chunks;
using FastLLM.Jobs.Output;
using FastLLM.Pipeline;

namespace FastLLM.Cluster.Workers;

/// <summary>Sends the rows of a job's chunks on a worker, as one stream: slots stay full over the ends of chunks.</summary>
/// <param name="job">The job.</param>
/// <param name="spec">What the job says.</param>
/// <param name="engine">What sends.</param>
/// <param name="lease">The worker's lease.</param>
/// <param name="complete">Receives each chunk whose rows all have an outcome.</param>
internal sealed class JobRunner(
    string job, JobSpec spec, WorkerEngine engine, WorkerLease lease, Func<ChunkWork, Task> complete) : IAsyncDisposable
{
    // Many fields because chunks, rows in flight and completions of one job meet here.
    private readonly Channel<ChunkWork> _chunks = Channel.CreateUnbounded<ChunkWork>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<long, (ChunkWork Chunk, int Row)> _expected = new();
    private readonly ConcurrentDictionary<ChunkWork, Task> _completions = new();
    private readonly CancellationTokenSource _stopSending = new();
    private StreamRun<LlmResponse>? _run;
    private long _sequence;
    private long _rows;

    /// <summary>Gets the id of the job.</summary>
    public string Job => job;

    /// <summary>Gets what the job says.</summary>
    public JobSpec Spec => spec;

    /// <summary>Gets or sets how many times in a row the worker had no chunk of the job when it looked.</summary>
    public int IdleLooks { get; set; }

    /// <summary>Gets the number of rows that got an outcome here.</summary>
    public long Rows => Volatile.Read(ref _rows);

    /// <summary>Gets what limits the worker now.</summary>
    public Bottleneck Bottleneck => _run?.Bottleneck ?? Bottleneck.None;

    /// <summary>Gets the number of requests in flight.</summary>
    public int InFlight => engine.Manager.Stats.InFlight;

    /// <summary>Adds a chunk.</summary>
    /// <returns>Whether the runner takes it; not after <see cref="Finish"/>.</returns>
    public bool Add(ChunkWork chunk) => _chunks.Writer.TryWrite(chunk);

    /// <summary>Ends the stream of rows after the chunks that were added.</summary>
    public void Finish() => _chunks.Writer.TryComplete();

    /// <summary>Sends nothing more; what is in flight is awaited.</summary>
    public Task StopSendingAsync()
    {
        Finish();
        return _stopSending.CancelAsync();
    }

    /// <summary>Sends rows until the stream has ended.</summary>
    /// <param name="abort">Ends the run at once.</param>
    /// <exception cref="LlmRunException">The run cannot continue.</exception>
    public async Task RunAsync(CancellationToken abort)
    {
        using CancellationTokenSource feeding = CancellationTokenSource.CreateLinkedTokenSource(_stopSending.Token, abort);
        OutputRecord record = engine.NewRecord(() => Bottleneck);
        StreamRun<LlmResponse> run = _run = engine.Open(RowsAsync(feeding.Token), _stopSending.Token, abort);
        try
        {
            await foreach (ResponseWrapper<LlmResponse> outcome in run.Outcomes.ConfigureAwait(false))
            {
                Write(run, record, outcome);
            }
        }
        catch (LlmRunException e) when (e.Kind == FailureKind.NotSent && _stopSending.IsCancellationRequested)
        {
            // The rows that were not sent go back.
        }
        catch (OperationCanceledException) when (feeding.IsCancellationRequested)
        {
        }
        finally
        {
            Finish();
            await Task.WhenAll(_completions.Values).WaitAsync(abort).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await engine.DisposeAsync().ConfigureAwait(false);
        _stopSending.Dispose();
    }

    private void Write(StreamRun<LlmResponse> run, OutputRecord record, ResponseWrapper<LlmResponse> outcome)
    {
        if (!_expected.TryRemove(outcome.OrderId, out (ChunkWork Chunk, int Row) place) || JobWriter.StaysPending(outcome))
        {
            return; // its chunk goes back
        }

        (ChunkWork chunk, int row) = place;
        ChunkRow of = chunk.Rows[row];
        chunk.Add(row, record.Write(of.Id, outcome, of.Metadata.Span).Span, outcome);
        Interlocked.Increment(ref _rows);
        run.NoteRecorded(outcome, outcome.Cost ?? 0);
        if (chunk.IsComplete)
        {
            Complete(chunk);
        }
    }

    private void Complete(ChunkWork chunk)
    {
        // Beside the run: the database may be slow, or away.
        Task completion = Task.Run(() => complete(chunk), CancellationToken.None);
        _completions[chunk] = completion;
        _ = completion.ContinueWith(
            _ => _completions.TryRemove(chunk, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    private async IAsyncEnumerable<LlmRequest> RowsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (ChunkWork chunk in _chunks.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            for (var i = 0; i < chunk.Rows.Length && !chunk.IsLost; i++)
            {
                if (chunk.Rows[i].Error is not null)
                {
                    continue; // has its line since the chunk was taken
                }

                if (!lease.IsCurrent)
                {
                    await lease.WaitAsync(cancellationToken).ConfigureAwait(false);
                }

                _expected[_sequence++] = (chunk, i);
                yield return chunk.Rows[i].ToRequest();
            }

            if (chunk.FailedEarly == chunk.Rows.Length)
            {
                Complete(chunk);
            }
        }
    }
}
