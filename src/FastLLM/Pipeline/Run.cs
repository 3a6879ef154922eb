using System.Diagnostics.CodeAnalysis;
using FastLLM.Costs;
using FastLLM.Providers;

namespace FastLLM.Pipeline;

/// <summary>Base class of a batch or stream under way: where rows come from, where outcomes go, what it costs, and how it ends.</summary>
/// <remarks>A run <em>stops</em> when it cannot continue: nothing new is sent, and what is in flight is awaited. It <em>closes</em> when
/// its outcomes are no longer wanted: later ones are ignored.</remarks>
internal abstract class Run<TResponse>(
    ProgressTracker tracker, BudgetAccount? account, bool remembersAnswers, SharedFailureDetector sharedFailures)
{
    private readonly Lock _gate = new();
    private Dictionary<RequestKey, ResponseWrapper<TResponse>>? _outcomesByKey; // made when there is something to remember
    private int _failures;
    private volatile bool _closed;
    private volatile LlmException? _stopCause;

    /// <summary>Gets the counts of the run.</summary>
    public ProgressTracker Tracker { get; } = tracker;

    /// <summary>Gets the money of the run, if there is a budget.</summary>
    public BudgetAccount? Account { get; } = account;

    /// <summary>Gets the detector of failures that rows share.</summary>
    public SharedFailureDetector SharedFailures { get; } = sharedFailures;

    /// <summary>Gets how many rows may fail, if that is limited.</summary>
    public FailureLimit? FailureLimit { get; init; }

    /// <summary>Gets the counts of the requests under way.</summary>
    public LeftRows LeftRows { get; } = new(sharedFailures.Time);

    /// <summary>Gets for how long all requests that are left of the run have failed; <see langword="null"/> if that is not so.</summary>
    public TimeSpan? AloneFor => HasMoreRows ? null : LeftRows.AloneFor;

    /// <summary>Gets the workers. Set when the run begins.</summary>
    public WorkerPool<TResponse> Workers { get; set; } = null!;

    /// <summary>Gets what is called when a row has joined or begun its request.</summary>
    public Action? Entered { get; init; }

    /// <summary>Gets a value indicating whether a caller waits for a single request.</summary>
    public bool IsInteractive { get; init; }

    /// <summary>Gets the check that answers must pass, if there is one.</summary>
    public AnswerCheck? Check { get; init; }

    /// <summary>Gets or sets a value indicating whether the run has returned to its caller. Under the lock of
    /// <see cref="BottleneckProbe"/>.</summary>
    public bool IsOver { get; set; }

    /// <summary>Gets why the run cannot continue, if it cannot.</summary>
    public LlmException? StopCause => _stopCause;

    /// <summary>Gets a value indicating whether nothing more may be sent for it.</summary>
    public bool IsStopping => _stopCause is not null || _closed;

    /// <summary>Gets a value indicating whether its outcomes are no longer wanted.</summary>
    public bool IsClosed => _closed;

    /// <summary>Gets a task that completes when every row has its outcome, or the run has ended without.</summary>
    public abstract Task Completion { get; }

    /// <summary>Gets a value indicating whether there may be rows that no worker has taken yet.</summary>
    public abstract bool HasMoreRows { get; }

    /// <summary>Gets a value indicating whether the run has, or may have, more than one row.</summary>
    public abstract bool HasOtherRows { get; }

    /// <summary>Gets a value indicating whether no more rows are taken because outcomes are not.</summary>
    public virtual bool IsHeldUpByConsumer => false;

    /// <summary>Gets the answers that the consumer of the run has recorded, if it can find them again.</summary>
    public virtual IRecordedAnswers? Recorded => null;

    /// <summary>Gets how many failures are remembered for equal rows to come: the memory of a stream must not grow with its
    /// length.</summary>
    protected virtual int MaxFailures => int.MaxValue;

    /// <summary>Takes the next row; an empty one if there are no more.</summary>
    public abstract ValueTask<Row> NextAsync();

    /// <summary>Takes over the memory of a row's response, before its outcome is accepted.</summary>
    /// <returns>Whether the run releases it, when the consumer has processed the response.</returns>
    public virtual bool Hold(long orderId, ResponseMemory.Share memory) => false;

    /// <summary>Accepts the outcome of a row.</summary>
    public abstract void Settle(ResponseWrapper<TResponse> outcome);

    /// <summary>Notes the outcome of a row that was in flight when the run was closed. The row does not count as finished.</summary>
    public virtual void Note(ResponseWrapper<TResponse> outcome)
    {
    }

    /// <summary>Ends the run because of a fault that is not a row's.</summary>
    public abstract void Fault(Exception exception);

    /// <summary>Completes the run as it is. Call it when the run is closed and its rows have left their requests.</summary>
    public abstract void End();

    /// <summary>Returns the outcome that an equal row of this run had, if neither a cache nor a record holds it: failures are never
    /// cached.</summary>
    public bool TryGetOutcome(RequestKey key, [NotNullWhen(true)] out ResponseWrapper<TResponse>? outcome)
    {
        lock (_gate)
        {
            outcome = null;
            return _outcomesByKey is not null && _outcomesByKey.TryGetValue(key, out outcome);
        }
    }

    /// <summary>Returns whether an outcome is remembered: answers only if no cache keeps them.</summary>
    public virtual bool WouldRemember(RequestKey key, bool isSuccess) => !isSuccess || remembersAnswers;

    /// <summary>Remembers an outcome for equal rows to come. Call it before another request of the key can begin.</summary>
    public void Remember(RequestKey key, ResponseWrapper<TResponse> outcome)
    {
        lock (_gate)
        {
            if (outcome.IsSuccess || _failures < MaxFailures)
            {
                _outcomesByKey ??= [];
                _failures += _outcomesByKey.TryAdd(key, outcome) && !outcome.IsSuccess ? 1 : 0;
            }
        }
    }

    /// <summary>Forgets an answer: the consumer has recorded it, and finds it again.</summary>
    protected void Forget(ResponseWrapper<TResponse> recorded)
    {
        if (recorded.IsSuccess && WouldRemember(recorded.Key, isSuccess: true))
        {
            lock (_gate)
            {
                _outcomesByKey?.Remove(recorded.Key);
            }
        }
    }

    /// <summary>Decides about suspected failures with the evidence that there is: every row that is known has its outcome.</summary>
    /// <returns>The reason to stop the run, or <see langword="null"/>: those rows have failed on their own, and are not too many.</returns>
    protected LlmException? DecideNow(Patience patience = Patience.None) =>
        SharedFailures.DecideNow(patience) ?? FailureLimit?.CountLate(SharedFailures.TakeLate());

    /// <summary>Stops the run; the first cause counts.</summary>
    /// <returns>Whether this was the first.</returns>
    public virtual bool Stop(LlmException cause) => Interlocked.CompareExchange(ref _stopCause, cause, null) is null;

    /// <summary>Closes the run: outcomes of rows that are still under way are no longer wanted.</summary>
    public void Close() => _closed = true;
}
