namespace FastLLM.RateLimiting;

/// <summary>Represents one configured limit a minute: a pace, and a strict count over any minute.</summary>
/// <remarks>The pace spreads sends for providers that refill continuously; alone, it would admit a burst, and a request of more than half
/// a minute's worth, too early.</remarks>
/// <param name="perMinute">The limit.</param>
/// <param name="start">The time.</param>
/// <param name="burst">The seconds' worth that may be sent at once.</param>
/// <param name="share">What may be used of the limit.</param>
/// <param name="isShared">Whether other processes share the limit, so that only what is granted may be sent.</param>
internal sealed class MinuteLimit(
    long perMinute, double start = 0, double burst = TokenBucket.HalfASecond, double share = 1, bool isShared = false)
{
    private readonly TokenLedger _pace = new(perMinute, burst, start);
    private readonly MinuteWindow _window = new(perMinute * share);

    /// <summary>Gets the limit.</summary>
    public long PerMinute => _pace.PerMinute;

    /// <summary>Gets the permits of this process where others share the limit; then they take the place of the pace.</summary>
    public Permits? Permits { get; } = isShared ? new Permits() : null;

    /// <summary>Returns how long until a send may go; infinite if others must first be written or end.</summary>
    /// <param name="now">The time.</param>
    /// <param name="most">The most that it may take, which no minute may pass.</param>
    /// <param name="expected">What it is expected to take, by which sends are paced: paced by the most, they would be too few.</param>
    public double Wait(double now, double most, double expected) =>
        Math.Max(Permits?.Wait(now, most) ?? _pace.Wait(now, expected), _window.Wait(now, most));

    /// <summary>Sets aside what a send may take.</summary>
    /// <inheritdoc cref="Wait"/>
    public TokenLedger.Entry Take(double now, double most, double expected)
    {
        _window.Reserve(most);
        Permits?.Take(now, most);
        TokenLedger.Entry entry = _pace.Take(now, expected);
        entry.Reserved = most;
        return entry;
    }

    /// <summary>Notes that the send was written.</summary>
    public void Sent(double now, TokenLedger.Entry entry)
    {
        if (entry.Place == MinuteWindow.NotSent && !entry.IsSettled)
        {
            entry.Place = _window.Place(now, entry.Reserved);
        }
    }

    /// <summary>Notes what the send took.</summary>
    public void Settle(double now, TokenLedger.Entry entry, double cost)
    {
        Sent(now, entry);
        double more = cost - entry.Reserved;
        _window.Change(entry.Place, more);
        if (more > 0)
        {
            // What is given back reaches others with the next report; until then it must not be used here, in case there is none.
            Permits?.Use(more);
        }

        entry.Reserved = cost;
        _pace.Settle(entry, cost);
    }

    /// <inheritdoc cref="TokenLedger.Correct"/>
    public double Correct(double now, double remaining)
    {
        Permits?.Correct(remaining);
        return _pace.Correct(now, remaining);
    }

    /// <summary>Reports to those who share the limit, and gives permits back.</summary>
    /// <param name="now">The time.</param>
    /// <param name="isWaiting">Whether a send waits for this limit or another one.</param>
    public PermitReport? Report(double now, bool isWaiting)
    {
        if (Permits is null)
        {
            return null;
        }

        var sent = new double[PermitReport.Steps];
        double pending = _window.Copy(now, PermitReport.Step, sent);
        (double kept, double wants, double need) = Permits.GiveBack(now, isWaiting);
        return new PermitReport(perMinute * share, sent, pending, kept, wants, need);
    }

    /// <inheritdoc cref="MinuteWindow.CopyTo"/>
    public void CopyTo(double now, Span<double> seconds) => _window.CopyTo(now, seconds);

    /// <summary>Counts what an earlier process has sent.</summary>
    public void Add(double at, double cost) => _window.Add(at, cost);
}
