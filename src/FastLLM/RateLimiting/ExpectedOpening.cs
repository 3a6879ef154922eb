namespace FastLLM.RateLimiting;

/// <summary>Knows when a closure may end, where the provider counts by windows, and so saves probes.</summary>
internal sealed class ExpectedOpening
{
    // Two probes in a row show that it is closed if that was expected, and half a second does otherwise.
    private const int FewestProbes = 2;
    private const double LongEnough = 0.5;

    // What is open again after less of the time was closed by chance.
    private const double LeastPart = 0.5;

    private double _from;
    private double _at;
    private bool _isExact;
    private int _probes;

    /// <summary>Gets a value indicating whether it was expected that it closes.</summary>
    public bool IsExpected { get; private set; }

    /// <summary>Gets the last moment at which it was certainly closed.</summary>
    public double ShutAt { get; private set; }

    /// <summary>It has closed, and nothing is known yet.</summary>
    public void Reset(double now)
    {
        _from = ShutAt = now;
        _at = _probes = 0;
        _isExact = IsExpected = false;
    }

    /// <summary>Takes in when it may end.</summary>
    /// <param name="at">When it opens at the earliest.</param>
    /// <param name="isExact">Whether it opens about then.</param>
    /// <param name="isExpected">Whether it was expected that it closes.</param>
    public void Set(double at, bool isExact, bool isExpected) => (_at, _isExact, IsExpected) = (at, isExact, isExpected);

    /// <summary>It was closed until that moment.</summary>
    public void Shut(double at) => ShutAt = Math.Max(ShutAt, at);

    /// <summary>Tells whether it may open at any moment.</summary>
    public bool IsDue(double now) => _isExact && now >= _at;

    /// <summary>Tells whether it has opened so soon that it was closed by chance.</summary>
    public bool IsTooSoon(double now) => IsExpected && now - _from < LeastPart * (_at - _from);

    /// <summary>A probe was refused.</summary>
    /// <param name="now">The time.</param>
    /// <param name="next">When the next probe would go otherwise.</param>
    /// <param name="latest">When it goes at the latest.</param>
    /// <param name="requestedUntil">Until when the provider asks to wait, if it does.</param>
    /// <returns>When the next probe goes.</returns>
    public double NextProbe(double now, double next, double latest, double requestedUntil)
    {
        _probes++;
        bool isCertain = IsExpected ? _probes >= FewestProbes : now - _from > LongEnough;
        if (!isCertain || now >= _at)
        {
            return next;
        }

        double until = now < requestedUntil ? Math.Min(requestedUntil, _at) : _at;
        return Math.Clamp(until, next, Math.Max(next, latest));
    }
}
