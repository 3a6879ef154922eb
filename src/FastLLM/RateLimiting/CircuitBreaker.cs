namespace FastLLM.RateLimiting;

/// <summary>Stops sends to a provider that is down, and finds out when it is up again. Under the lock of
/// <see cref="RateLimiters"/>.</summary>
/// <remarks>It opens when <see cref="InARow"/> sends in a row met an outage, with no answer of any other kind between them: a provider that
/// fails three sends of ten does that once in a million sends. While it is open one send at a time goes out as a probe, each after a break
/// that grows with the outage: an eighth of its age, from 5 s to a minute, so that a recovery is seen soon. One probe that gets through
/// closes it. A 429 or 4xx is an answer: such a provider is not down.</remarks>
internal sealed class CircuitBreaker
{
    /// <summary>How many sends in a row must meet an outage.</summary>
    public const int InARow = 12;

    private const double ShortestBreak = 5;
    private const double LongestBreak = 60;
    private const double OfAge = 0.125;

    private int _inARow;
    private double _openedAt;
    private double _nextProbe;
    private bool _probing;

    /// <summary>Whether the provider is taken to be down.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>For how long it has been, in seconds.</summary>
    public double Age(double now) => IsOpen ? now - _openedAt : 0;

    /// <summary>How long until a send may go out; 0 for now, infinite while a probe is under way.</summary>
    public double Wait(double now) => !IsOpen ? 0 : _probing ? double.PositiveInfinity : Math.Max(0, _nextProbe - now);

    /// <summary>A send goes out.</summary>
    /// <returns>Whether it is a probe.</returns>
    public bool Take() => IsOpen && (_probing = true);

    /// <summary>A send is over.</summary>
    /// <param name="now">The moment.</param>
    /// <param name="end">How it ended.</param>
    /// <param name="isOutage">Whether it met what a provider does that is down.</param>
    /// <param name="isProbe">Whether it was the probe.</param>
    /// <returns>What has changed.</returns>
    public BreakerChange Ended(double now, LeaseEnd end, bool isOutage, bool isProbe)
    {
        if (!IsOpen)
        {
            return Count(now, end, isOutage);
        }

        if (!isProbe)
        {
            // Sent before it opened: an answer that was under way then says nothing of now.
            return BreakerChange.None;
        }

        _probing = false;
        if (isOutage || end == LeaseEnd.Failed)
        {
            _nextProbe = now + Math.Clamp((now - _openedAt) * OfAge, ShortestBreak, LongestBreak);
        }
        else if (end != LeaseEnd.NotUsed)
        {
            IsOpen = false;
            _inARow = 0;
            return BreakerChange.Closed;
        }

        return BreakerChange.None;
    }

    private BreakerChange Count(double now, LeaseEnd end, bool isOutage)
    {
        if (!isOutage)
        {
            _inARow = end is LeaseEnd.Answered or LeaseEnd.Throttled ? 0 : _inARow;
            return BreakerChange.None;
        }

        if (++_inARow < InARow)
        {
            return BreakerChange.None;
        }

        IsOpen = true;
        _openedAt = now;
        _nextProbe = now + ShortestBreak;
        return BreakerChange.Opened;
    }
}

/// <summary>Specifies how a circuit breaker has changed.</summary>
internal enum BreakerChange
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The provider is down.</summary>
    Opened,

    /// <summary>It is up again.</summary>
    Closed,
}
