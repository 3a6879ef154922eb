namespace FastLLM.Results;

/// <summary>A run over requests that are all there, whose outcomes are wanted all together, in request order.</summary>
internal sealed class BatchRun<TResponse> : Run<TResponse>
{
    private readonly LlmRequest[] _requests;
    private readonly ResponseWrapper<TResponse>?[] _outcomes;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;
    private int _left;

    public BatchRun(LlmRequest[] requests, ProgressTracker tracker, bool remembersAnswers)
        : base(tracker, remembersAnswers)
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
        if (Interlocked.CompareExchange(ref _outcomes[outcome.OrderId], outcome, null) is null && Interlocked.Decrement(ref _left) == 0)
        {
            _done.TrySetResult();
        }
    }

    public override void Fault(Exception exception) => _done.TrySetException(exception);

    public override void Close()
    {
        base.Close();
        _done.TrySetResult();
    }

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
        int taken = Volatile.Read(ref _taken);
        for (var order = 0; order < outcomes.Length; order++)
        {
            outcomes[order] = Volatile.Read(ref _outcomes[order]) ?? Unfinished(order, IsClosed && order < taken);
        }

        return outcomes;
    }

    protected override void LastWorkerEnded()
    {
        if (IsStopping)
        {
            _done.TrySetResult();
        }
    }

    private ResponseWrapper<TResponse> Unfinished(int order, bool underWay)
    {
        LlmException error = underWay
            ? new LlmException(FailureKind.Canceled, "Cancelled while under way; if it was in flight, the provider may bill it.")
            : new LlmException(FailureKind.NotSent, "Not sent: the run ended first.");
        return new ResponseWrapper<TResponse>(error, _requests[order].Key, order);
    }
}
