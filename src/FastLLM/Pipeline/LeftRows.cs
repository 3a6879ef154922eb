namespace FastLLM.Pipeline;

/// <summary>Counts the requests of a run that are under way, and those of them that were throttled. Safe for concurrent use.</summary>
internal sealed class LeftRows
{
    private int _underWay;
    private int _throttled;
    private long _answered;
    private TaskCompletionSource? _none;

    /// <summary>Notes that a request begins.</summary>
    public void Begin() => Interlocked.Increment(ref _underWay);

    /// <summary>Notes that a request was throttled, or met an outage, for the first time.</summary>
    public void Throttle() => Interlocked.Increment(ref _throttled);

    /// <summary>Notes that a request is no longer throttled.</summary>
    public void EndThrottle() => Interlocked.Decrement(ref _throttled);

    /// <summary>Notes that a request has ended.</summary>
    public void End(bool wasThrottled, bool isAnswered)
    {
        if (isAnswered)
        {
            Interlocked.Increment(ref _answered);
        }

        if (wasThrottled)
        {
            Interlocked.Decrement(ref _throttled);
        }

        if (Interlocked.Decrement(ref _underWay) == 0)
        {
            Volatile.Read(ref _none)?.TrySetResult();
        }
    }

    /// <summary>Waits until no request is under way. Call it when none begins any more.</summary>
    public Task WhenNoneAsync()
    {
        var none = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _none, none);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _underWay) == 0)
        {
            none.TrySetResult();
        }

        return none.Task;
    }

    /// <summary>Gets how many requests were answered.</summary>
    public long Answered => Volatile.Read(ref _answered);

    /// <summary>Returns whether others were answered, and the few that are under way were all throttled.</summary>
    public bool AreFewAndThrottled()
    {
        int underWay = Volatile.Read(ref _underWay);
        return Answered > 0 && underWay < SharedFailureDetector.Enough && underWay == Volatile.Read(ref _throttled);
    }
}
