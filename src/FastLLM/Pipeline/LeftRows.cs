namespace FastLLM.Pipeline;

/// <summary>Counts the requests of a run that are under way, and those of them that were throttled. Safe for concurrent use.</summary>
internal sealed class LeftRows
{
    private int _underWay;
    private int _throttled;

    /// <summary>Notes that a request begins.</summary>
    public void Begin() => Interlocked.Increment(ref _underWay);

    /// <summary>Notes that a request was throttled, or met an outage, for the first time.</summary>
    public void Throttle() => Interlocked.Increment(ref _throttled);

    /// <summary>Notes that a request has ended.</summary>
    public void End(bool wasThrottled)
    {
        if (wasThrottled)
        {
            Interlocked.Decrement(ref _throttled);
        }

        Interlocked.Decrement(ref _underWay);
    }

    /// <summary>Returns how many requests are left, if those are few and all were throttled; otherwise 0.</summary>
    public int OnlyThrottled()
    {
        int underWay = Volatile.Read(ref _underWay);
        return underWay < SharedFailureDetector.Enough && underWay == Volatile.Read(ref _throttled) ? underWay : 0;
    }
}
