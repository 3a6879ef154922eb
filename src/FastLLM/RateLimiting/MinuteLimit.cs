namespace FastLLM.RateLimiting;

/// <summary>Represents one configured limit a minute: a pace, and a strict count over any minute.</summary>
/// <remarks>The pace spreads sends for providers that refill continuously; alone, it would admit a burst, and a request of more than half
/// a minute's worth, too early.</remarks>
internal sealed class MinuteLimit(long perMinute, double start = 0, double burst = TokenBucket.HalfASecond, double share = 1)
{
    private readonly TokenLedger _pace = new(perMinute, burst, start);
    private readonly MinuteWindow _window = new(perMinute * share);

    /// <summary>Gets the limit.</summary>
    public long PerMinute => _pace.PerMinute;

    /// <summary>Returns how long until this much may be taken; infinite if sends must first be written or end.</summary>
    public double Wait(double now, double cost) => Math.Max(_pace.Wait(now, cost), _window.Wait(now, cost));

    /// <summary>Sets this much aside for a send.</summary>
    public TokenLedger.Entry Take(double now, double cost)
    {
        _window.Reserve(cost);
        return _pace.Take(now, cost);
    }

    /// <summary>Notes that the send was written.</summary>
    public void Sent(double now, TokenLedger.Entry entry)
    {
        if (entry.Place == MinuteWindow.NotSent && !entry.IsSettled)
        {
            entry.Place = _window.Place(now, entry.Cost);
        }
    }

    /// <summary>Notes what the send took.</summary>
    public void Settle(double now, TokenLedger.Entry entry, double cost)
    {
        Sent(now, entry);
        _window.Change(entry.Place, cost - entry.Cost);
        _pace.Settle(entry, cost);
    }

    /// <inheritdoc cref="TokenLedger.Correct"/>
    public double Correct(double now, double remaining) => _pace.Correct(now, remaining);

    /// <inheritdoc cref="MinuteWindow.CopyTo"/>
    public void CopyTo(double now, Span<double> seconds) => _window.CopyTo(now, seconds);

    /// <summary>Counts what an earlier process has sent.</summary>
    public void Add(double at, double cost) => _window.Add(at, cost);
}
