using FastLLM.Costs;

namespace FastLLM.Pipeline;

/// <summary>Represents a run over requests that are all known, whose outcomes are returned together, in request order.</summary>
internal sealed class BatchRun<TResponse> : Run<TResponse>
{
    private readonly LlmRequest[] _requests;
    private readonly ResponseWrapper<TResponse>?[] _outcomes;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;
    private int _left;

    public BatchRun(
        LlmRequest[] requests, ProgressTracker tracker, BudgetAccount? account, bool remembersAnswers, SharedFailureDetector sharedFailures)
        : base(tracker, account, remembersAnswers, sharedFailures)
    {
        _requests = requests;
        _outcomes = new ResponseWrapper<TResponse>?[requests.Length];
        _left = requests.Length;
        sharedFailures.AwaitsRows = static () => false;
        if (_left == 0)
        {
            _done.SetResult();
        }
    }

    public override Task Completion => _done.Task;

    public override bool HasMoreRows => Volatile.Read(ref _taken) < _requests.Length;

    public override bool HasOtherRows => _requests.Length > 1;

    public override ValueTask<Row> NextAsync()
    {
        if (IsStopping)
        {
            return default;
        }

        int order = Interlocked.Increment(ref _taken) - 1;
        return order < _requests.Length ? new ValueTask<Row>(new Row(_requests[order], order)) : default;
    }

    public override void Settle(ResponseWrapper<TResponse> outcome)
    {
        if (Interlocked.CompareExchange(ref _outcomes[outcome.OrderId], outcome, null) is null)
        {
            Interlocked.Decrement(ref _left);
            CompleteIfDone();
        }
    }

    public override void Note(ResponseWrapper<TResponse> outcome) =>
        Interlocked.CompareExchange(ref _outcomes[outcome.OrderId], outcome, null);

    public override bool Stop(LlmException cause)
    {
        bool first = base.Stop(cause);
        CompleteIfDone();
        return first;
    }

    public override void Fault(Exception exception)
    {
        Close();
        _done.TrySetException(exception);
    }

    public override void End() => _done.TrySetResult();

    /// <summary>Gets a value indicating whether every row has its outcome.</summary>
    public bool IsComplete => Volatile.Read(ref _left) == 0;

    /// <summary>Returns the outcomes in request order. Call it when <see cref="Run{TResponse}.Completion"/> is complete.</summary>
    public IReadOnlyList<ResponseWrapper<TResponse>> Outcomes()
    {
        if (IsComplete)
        {
            return _outcomes!;
        }

        // A copy: an outcome that comes late must not change what was returned.
        var outcomes = new ResponseWrapper<TResponse>[_requests.Length];
        LlmException notSent = Outcome<TResponse>.NotSent();
        for (var order = 0; order < outcomes.Length; order++)
        {
            outcomes[order] = Volatile.Read(ref _outcomes[order]) ?? new ResponseWrapper<TResponse>(notSent, _requests[order], order);
        }

        return outcomes;
    }

    // A run that stops is done when what it had begun is: rows that no worker took stay unsent.
    private void CompleteIfDone()
    {
        int left = Volatile.Read(ref _left);
        if (left == 0 && !IsStopping && DecideNow() is { } cause)
        {
            base.Stop(cause);
        }

        if (left == 0 || (IsStopping && _requests.Length - left >= Math.Min(Volatile.Read(ref _taken), _requests.Length)))
        {
            _done.TrySetResult();
        }
    }
}
