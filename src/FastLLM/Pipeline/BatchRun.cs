namespace FastLLM.Pipeline;

/// <summary>A run over requests that are all there, whose outcomes are wanted all together, in request order.</summary>
internal sealed class BatchRun<TResponse> : Run<TResponse>
{
    private readonly LlmRequest[] _requests;
    private readonly ResponseWrapper<TResponse>?[] _outcomes;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;
    private int _left;

    public BatchRun(LlmRequest[] requests, ProgressTracker tracker, bool remembersAnswers, bool asksWhoseFault)
        : base(tracker, remembersAnswers, asksWhoseFault)
    {
        _requests = requests;
        _outcomes = new ResponseWrapper<TResponse>?[requests.Length];
        _left = requests.Length;
        if (_left == 0)
        {
            _done.SetResult();
        }
    }

    public override Task Completion => _done.Task;

    public override bool HasMoreRows => Volatile.Read(ref _taken) < _requests.Length;

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

    /// <summary>Whether every row has its outcome.</summary>
    public bool IsComplete => Volatile.Read(ref _left) == 0;

    /// <summary>The outcomes in request order. Call when <see cref="Run{TResponse}.Completion"/> is.</summary>
    public IReadOnlyList<ResponseWrapper<TResponse>> Outcomes()
    {
        if (IsComplete)
        {
            return _outcomes!;
        }

        // Taken now: an outcome that comes late no longer changes what was handed out.
        var outcomes = new ResponseWrapper<TResponse>[_requests.Length];
        var notSent = new LlmException(FailureKind.NotSent, "Not sent: the run ended first.");
        for (var order = 0; order < outcomes.Length; order++)
        {
            outcomes[order] = Volatile.Read(ref _outcomes[order]) ?? new ResponseWrapper<TResponse>(notSent, _requests[order], order);
        }

        return outcomes;
    }

    // A run that stops is done when what it had begun is: rows that nobody took stay unsent.
    private void CompleteIfDone()
    {
        int left = Volatile.Read(ref _left);
        if (left == 0 || (IsStopping && _requests.Length - left >= Math.Min(Volatile.Read(ref _taken), _requests.Length)))
        {
            _done.TrySetResult();
        }
    }
}
