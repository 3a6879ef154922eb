namespace FastLLM.RateLimiting;

/// <summary>Represents what this process may still send of a limit that it shares with other processes.</summary>
/// <remarks>
/// <para>Permits are granted for a second or two. Each time more are asked for, what is left goes back, but for a little that is kept to
/// send meanwhile.
/// What is granted counts from that moment, so a send in between is never counted as if there were permits for it twice.</para>
/// <para>Sends are spread evenly. Times are seconds on the clock of <see cref="RateLimiters"/>, under whose lock it stands.</para>
/// </remarks>
internal sealed class Permits
{
    // What is kept while more are asked for, and how much a timer that fires late may make up for at once, both in seconds.
    private const double Kept = 0.5;
    private const double CatchUp = 0.25;

    // More than is used is asked for, so that the use can grow.
    private const double Room = 1.25;

    // The pace must not be what limits: permits do.
    private const double FasterThanGranted = 1.05;

    private double _left;
    private double _perSecond;
    private double _until = double.NegativeInfinity;
    private double _next = double.NegativeInfinity;
    private double _used;
    private double _usedFrom;
    private double _need;

    /// <summary>Gets a value indicating whether a send waits for permits that are not granted.</summary>
    public bool IsShort { get; private set; }

    /// <summary>Returns how long until this much may be sent; infinite if more must be granted first.</summary>
    public double Wait(double now, double cost)
    {
        _need = cost;
        if (now < _until && cost <= _left + 1e-9)
        {
            double wait = _next - now;
            return wait > 1e-9 ? wait : 0;
        }

        IsShort = true;
        return double.PositiveInfinity;
    }

    /// <summary>Uses permits.</summary>
    public void Take(double now, double cost)
    {
        Use(cost);
        if (_perSecond > 0)
        {
            _next = Math.Max(_next, now - CatchUp) + (cost / (_perSecond * FasterThanGranted));
        }
    }

    /// <summary>Counts that a send has used more than was assumed.</summary>
    public void Use(double cost)
    {
        _left -= cost;
        _used += cost;
    }

    /// <summary>Believes the provider that no more than this is left, until more is granted.</summary>
    public void Correct(double remaining) => _left = Math.Min(_left, Math.Max(remaining, 0));

    /// <summary>Gives back what is left, but for a little.</summary>
    /// <param name="now">The time.</param>
    /// <param name="isWaiting">Whether a send waits for the pace or for permits.</param>
    /// <returns>What is kept, what is wanted a second, and what the last send takes that asked.</returns>
    public (double Kept, double Wants, double Need) GiveBack(double now, bool isWaiting)
    {
        double left = now < _until ? Math.Max(_left, 0) : 0;
        double wants = isWaiting || IsShort ? Unlimited : Math.Max(0, _used) / Math.Max(now - _usedFrom, 0.1) * Room;
        _left = wants == 0 ? 0 : Math.Min(left, Math.Max(_perSecond * Kept, _need));
        var report = (_left, wants, _need);
        (_used, _usedFrom, IsShort) = (0, now, false);
        return report;
    }

    /// <summary>Takes what is granted.</summary>
    /// <param name="from">When it was asked for: what was used since then is part of it.</param>
    /// <param name="amount">How much, with what was kept.</param>
    /// <param name="perSecond">How much a second.</param>
    /// <param name="validFor">For how many seconds.</param>
    public void Grant(double from, double amount, double perSecond, double validFor)
    {
        if (from != _usedFrom)
        {
            return; // more was asked for since
        }

        _left = amount - _used;
        _perSecond = perSecond;
        _until = from + validFor;
    }

    /// <summary>What is wanted a second where all that is granted is used.</summary>
    public const double Unlimited = 1e15;
}
