using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace FastLLM.Pipeline;

/// <summary>One batch or stream on its way: where rows come from, where outcomes go, and how it ends.</summary>
/// <remarks>
/// A run <em>stops</em> when it cannot go on: nothing new is sent, what is in flight is waited for. It <em>closes</em> when nobody wants
/// its outcomes any more: later ones are ignored.
/// </remarks>
internal abstract class Run<TResponse>(ProgressTracker tracker, bool remembersAnswers, bool asksWhoseFault)
{
    /// <summary>Of how few rows no share is worked out.</summary>
    public const int FewRows = 100;

    private readonly Lock _gate = new();
    private readonly Dictionary<RequestKey, ResponseWrapper<TResponse>> _outcomesByKey = [];
    private int _working;
    private int _waiting;
    private int _backingOff;
    private long _finishedRows;
    private long _failedRows;
    private volatile bool _closed;
    private volatile LlmException? _stopCause;

    public ProgressTracker Tracker { get; } = tracker;

    /// <summary>Whether the first failures are everybody's.</summary>
    public FailFastDetector FailFastDetector { get; } = new(asksWhoseFault);

    /// <summary>Why the run cannot go on, if it cannot.</summary>
    public LlmException? StopCause => _stopCause;

    /// <summary>Whether nothing more may be sent for it.</summary>
    public bool IsStopping => _stopCause is not null || _closed;

    /// <summary>Whether its outcomes are wanted no more.</summary>
    public bool IsClosed => _closed;

    /// <summary>Completes when every row has its outcome, or the run has ended without.</summary>
    public abstract Task Completion { get; }

    /// <summary>Whether there may be rows that no worker has taken yet.</summary>
    public abstract bool HasMoreRows { get; }

    /// <summary>How many requests back off.</summary>
    public int BackingOff => Volatile.Read(ref _backingOff);

    /// <summary>Whether no more rows are taken because outcomes are not.</summary>
    public virtual bool IsHeldUpByConsumer => false;

    /// <summary>How many verdicts are kept for rows to come; the stream's memory must not grow with its length.</summary>
    protected virtual int MaxRemembered => int.MaxValue;

    /// <summary>Takes the next row; an empty one where there are no more.</summary>
    public abstract ValueTask<Row> NextAsync();

    /// <summary>Hands in a row's outcome.</summary>
    public abstract void Settle(ResponseWrapper<TResponse> outcome);

    /// <summary>Says what became of a row in flight when the run was closed. It does not count as finished.</summary>
    public virtual void Note(ResponseWrapper<TResponse> outcome)
    {
    }

    /// <summary>Ends the run because of a fault that is not a row's.</summary>
    public abstract void Fault(Exception exception);

    /// <summary>Completes the run as it is. To be called when it is closed and its rows have left their flights.</summary>
    public abstract void End();

    /// <summary>The outcome that an equal row of this run had, where no cache remembers it: failures are never cached.</summary>
    public bool TryGetOutcome(RequestKey key, [NotNullWhen(true)] out ResponseWrapper<TResponse>? verdict)
    {
        lock (_gate)
        {
            return _outcomesByKey.TryGetValue(key, out verdict);
        }
    }

    /// <summary>Whether an outcome is remembered: answers only where no cache keeps them.</summary>
    public bool WouldRemember(bool isSuccess) => !isSuccess || remembersAnswers;

    /// <summary>Remembers a row's outcome for equal rows to come. To be called before another flight of the key can begin.</summary>
    public void Remember(RequestKey key, ResponseWrapper<TResponse> verdict)
    {
        lock (_gate)
        {
            if (_outcomesByKey.Count < MaxRemembered)
            {
                _outcomesByKey.TryAdd(key, verdict);
            }
        }
    }

    /// <summary>Counts a row that has an outcome of its own.</summary>
    /// <param name="failed">Whether it failed.</param>
    /// <param name="most">The most rows that may fail, where told.</param>
    /// <param name="mostShare">The largest share of the rows that may fail, where told.</param>
    /// <returns>Why that is too many, or <see langword="null"/>.</returns>
    public LlmException? CountRow(bool failed, long? most, double? mostShare)
    {
        long finished = Interlocked.Increment(ref _finishedRows);
        if (!failed)
        {
            return null;
        }

        long failures = Interlocked.Increment(ref _failedRows);
        return failures > most ? TooMany($"{failures:N0} rows have failed, more than the {most:N0} that are allowed ({nameof(RequestManagerOptions.MaxErrors)}).")
            : finished >= FewRows && failures > finished * mostShare
                ? TooMany($"{failures:N0} of {finished:N0} rows have failed, more than the {mostShare:P0} that is allowed ({nameof(RequestManagerOptions.MaxErrorShare)}).")
            : null;
    }

    private static LlmException TooMany(FormattableString why) => new(FailureKind.TooManyFailures, why.ToString(CultureInfo.InvariantCulture));

    /// <summary>Sends nothing more; the first cause counts.</summary>
    /// <returns>Whether this was the first.</returns>
    public virtual bool Stop(LlmException cause) => Interlocked.CompareExchange(ref _stopCause, cause, null) is null;

    /// <summary>Wants no more outcomes of rows that are still under way.</summary>
    public void Close() => _closed = true;

    /// <summary>A worker begins.</summary>
    public void WorkerBegins() => Interlocked.Increment(ref _working);

    /// <summary>A request backs off.</summary>
    public void BackOffBegins() => Interlocked.Increment(ref _backingOff);

    /// <summary>It does not any more.</summary>
    public void BackOffEnds() => Interlocked.Decrement(ref _backingOff);

    /// <summary>A worker's request waits for its gate, backs off or is being recorded, and holds no lease meanwhile.</summary>
    /// <param name="mostWaiting">How many may; beyond that, the run's memory is more precious than its speed.</param>
    /// <returns>Whether another worker may take the next row in its stead.</returns>
    public bool WorkerWaits(int mostWaiting)
    {
        Interlocked.Decrement(ref _working);
        return Interlocked.Increment(ref _waiting) <= mostWaiting && HasMoreRows && !IsStopping;
    }

    /// <summary>The waiting is over.</summary>
    public void WorkerIsBack()
    {
        Interlocked.Decrement(ref _waiting);
        Interlocked.Increment(ref _working);
    }

    /// <summary>Lets a worker go where there are more at work than wanted, because one stood in for another that is back.</summary>
    /// <returns>Whether the asking worker is the one to go. Never so many go that fewer than <paramref name="wanted"/> stay.</returns>
    public bool TryRetire(int wanted)
    {
        while (true)
        {
            int working = Volatile.Read(ref _working);
            if (working <= wanted)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _working, working - 1, working) == working)
            {
                return true;
            }
        }
    }
}
