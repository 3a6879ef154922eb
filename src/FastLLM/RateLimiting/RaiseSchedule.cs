namespace FastLLM.RateLimiting;

/// <summary>When to try for more. Each try costs a few refusals, so the rests get longer while more is not to be had.</summary>
/// <param name="seesAll">Whether no other process shares the limit. A try of several takes longer, and so costs more.</param>
internal sealed class RaiseSchedule(bool seesAll)
{
    private const double First = 5;
    private const double Shortest = 1;
    private const double AfterRefusal = 10;
    private const double AfterCostlyRefusal = 20;
    private const double Longest = 30;
    private const int FirstSends = 40;
    private const int MaxSends = 320;
    private const double SameLaw = 0.25;

    private double _rest = First;
    private int _sends = FirstSends;
    private double _from;
    private long _fromIndex;
    private Limits _held;

    /// <summary>Gets a value indicating whether the limit that holds is a rough guess, to be raised in large steps.</summary>
    public bool IsRough { get; set; }

    public bool IsDue(double now, long count) => now >= _from + _rest && count >= _fromIndex + (IsRough ? 8 : _sends);

    /// <summary>A limit was learned. If it is the one that was known, the wait continues to grow.</summary>
    public void Learned(in Limits limits, double now, long count)
    {
        bool same = (!double.IsPositiveInfinity(limits.Rate) && Math.Abs((limits.Rate / _held.Rate) - 1) < SameLaw)
            || (limits.IsInFlightLearnt && Math.Abs(limits.InFlight - _held.InFlight) <= _held.InFlight * SameLaw);
        _rest = same ? Math.Min(2 * _rest, Longest) : IsRough ? 0.5 : 1;
        _sends = same ? Math.Min(2 * _sends, MaxSends) : FirstSends;
        _held = limits;
        Restart(now, count);
    }

    /// <summary>More was not to be had, or only <paramref name="grown"/>.</summary>
    /// <param name="limits">The limits from now on.</param>
    /// <param name="grown">Whether they are clearly higher than before.</param>
    /// <param name="now">The time.</param>
    /// <param name="count">The sends so far.</param>
    /// <param name="isCertain">Whether what held before was seen to be all that is accepted.</param>
    public void Tried(in Limits limits, bool grown, double now, long count, bool isCertain = false)
    {
        IsRough = false;
        _sends = grown ? FirstSends : Math.Min(4 * _sends, MaxSends);
        _rest = grown ? First : Math.Min(Math.Max(4 * _rest, seesAll && !isCertain ? AfterRefusal : AfterCostlyRefusal), Longest);
        _held = limits;
        Restart(now, count);
    }

    /// <summary>A window has opened: in its first second, more would be tried on what is left of the one before.</summary>
    public void Delay(double now) => _from = Math.Max(_from, now - _rest + Shortest);

    /// <summary>What is known is worth a new try soon.</summary>
    public void Renew() => _held = default;

    private void Restart(double now, long count)
    {
        _from = now;
        _fromIndex = count;
    }
}
