using FastLLM.Costs;

namespace FastLLM.Pipeline;

/// <summary>Represents a run over one request. It remembers nothing: equal calls share what is in flight, and the cache.</summary>
internal sealed class SingleRun<TResponse>(
    LlmRequest request, ProgressTracker tracker, BudgetAccount? account, SharedFailureDetector sharedFailures)
    : Run<TResponse>(tracker, account, remembersAnswers: false, sharedFailures)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ResponseWrapper<TResponse>? _outcome;
    private int _taken;
    private volatile bool _isComplete;

    /// <summary>Gets why nothing more is sent for the call once it is late.</summary>
    public LlmException? Lateness { get; init; }

    public override Task Completion => _done.Task;

    public override bool HasMoreRows => Volatile.Read(ref _taken) == 0;

    public override bool HasOtherRows => false;

    /// <summary>Gets a value indicating whether the request has its outcome.</summary>
    public bool IsComplete => _isComplete;

    public override ValueTask<Row> NextAsync() =>
        IsStopping || Interlocked.Exchange(ref _taken, 1) != 0 ? default : new ValueTask<Row>(new Row(request, 0));

    public override bool WouldRemember(RequestKey key, bool isSuccess) => false;

    public override void Settle(ResponseWrapper<TResponse> outcome)
    {
        if (Interlocked.CompareExchange(ref _outcome, outcome, null) is null)
        {
            _isComplete = true;
            _done.TrySetResult();
        }
    }

    public override void Note(ResponseWrapper<TResponse> outcome) => Interlocked.CompareExchange(ref _outcome, outcome, null);

    public override bool Stop(LlmException cause)
    {
        bool first = base.Stop(cause);
        if (HasMoreRows)
        {
            // No worker has taken the request, so none will.
            _done.TrySetResult();
        }

        return first;
    }

    public override void Fault(Exception exception)
    {
        Close();
        _done.TrySetException(exception);
    }

    public override void End() => _done.TrySetResult();

    /// <summary>Returns the outcome. Call it when <see cref="Completion"/> is complete.</summary>
    public ResponseWrapper<TResponse> Outcome() => Volatile.Read(ref _outcome)
        ?? new ResponseWrapper<TResponse>(StopCause ?? Outcome<TResponse>.NotSent(), request, 0);
}
