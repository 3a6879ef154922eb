namespace FastLLM.RateLimiting;

/// <summary>Knows how many sends a provider takes in each of its windows, and when the next window opens.</summary>
/// <remarks>
/// What a window allows may be used up as fast as it goes: what is left of it at its end is lost, and what goes early is answered early. So
/// nothing is paced, and once as many are accepted as in the window before, the first refusals close it. A window that slides, which allows
/// so many in any ten seconds, is used in the same way: what was sent at once becomes free at once.
/// </remarks>
/// <param name="firstAt">When the first send began.</param>
internal sealed class WindowQuota(double firstAt)
{
    // What is closed for a shorter time is a limit on the rate.
    private const double ShortestClosure = 1;

    // Fewer sends are no window.
    private const int Fewest = 20;

    // What was taken for a window may be a penalty for sending too fast. So one of them is used up slowly: a window takes no more for
    // that, but what is not exceeded any more has no penalty.
    private const int TrialAt = 4;
    private const double TrialPace = 3;

    // So much more was accepted, or so much time has passed, that it is no window.
    private const double More = 1.2;

    private const double Fresh = 0.1;
    private const double Nearly = 0.9;

    private Emptied _opened = new(firstAt, 1);
    private Emptied _openedBefore = new(firstAt, 1);
    private long _quota;
    private double _period;
    private double _shut;
    private int _count;
    private bool _isUsedUp;
    private bool _isTrial;
    private bool _isSlow;
    private bool _isRefuted;
    private double _unpaced = double.PositiveInfinity;
    private double _pace = double.PositiveInfinity;

    /// <summary>Gets a value indicating whether the provider is known to count by windows.</summary>
    public bool IsKnown => _quota > 0;

    /// <summary>Gets the sends accepted a second; infinite where there are no windows.</summary>
    public double Rate => IsKnown ? _quota / _period : double.PositiveInfinity;

    /// <summary>Gets when the next window opens at the earliest.</summary>
    public double NextAt => _opened.At + _shut;

    /// <summary>Gets a value indicating whether it opens about then. The first send seldom comes when a window begins, so the first one
    /// shows only a part of the time.</summary>
    public bool IsNextKnown => _count > 1;

    /// <summary>Tells whether as many were accepted as in the window before.</summary>
    public bool IsUsedUp(long accepted) => IsKnown && accepted - _opened.Accepted >= _quota - 1; // the last one is the probe that opened it

    /// <summary>Tells whether hardly anything of it is used.</summary>
    public bool IsFresh(long accepted) => IsKnown && accepted - _opened.Accepted < _quota * Fresh;

    /// <summary>Tells, once for each window, that it is used up.</summary>
    public bool TryUseUp(long accepted)
    {
        bool isNews = !_isUsedUp && IsUsedUp(accepted);
        _isUsedUp |= isNews;
        return isNews;
    }

    /// <summary>Takes in that the provider accepts again.</summary>
    /// <param name="closure">The closure that has ended.</param>
    /// <param name="cycle">What it teaches.</param>
    /// <param name="now">The time.</param>
    /// <returns>Whether a window has opened.</returns>
    public bool TryOpen(Closure closure, in Cycle cycle, double now)
    {
        bool isWindow = !_isRefuted && now - closure.ClosedAt > ShortestClosure
            && (closure.Opening.IsExpected || (cycle.IsLasting && cycle.IsWideOpen && !cycle.IsAboutInFlight));
        if (!isWindow)
        {
            return false;
        }

        if (cycle.Opened.Accepted - _opened.Accepted < Fewest)
        {
            // It had never opened: a refusal that came late was taken for an acceptance.
            _opened = _openedBefore;
            _count = Math.Max(_count - 1, 0);
        }

        _openedBefore = _opened;
        _shut = Math.Max(closure.Opening.ShutAt - _opened.At, 0);
        _quota = cycle.Opened.Accepted - _opened.Accepted;
        _period = cycle.Opened.At - _opened.At;
        _opened = cycle.Opened;
        _isUsedUp = false;
        _count++;
        _isTrial = _count == TrialAt;
        return true;
    }

    /// <summary>Uses this window and all later ones slowly, if it is far from used up and was not used slowly.</summary>
    public bool TrySlow(long accepted)
    {
        bool isNews = IsKnown && !_isSlow && accepted - _opened.Accepted < _quota / 2;
        _isSlow |= isNews;
        return isNews;
    }

    /// <summary>Gets the limits to use a window with that has opened.</summary>
    /// <param name="limits">Those by which the last one was used.</param>
    public Limits LimitsFrom(in Limits limits)
    {
        // What is much lower was learned meanwhile. But a limit that is too low to use a window up is none.
        Limits own = limits.Rate > _pace * Nearly ? limits with { Rate = _unpaced }
            : limits.Rate < Rate ? limits with { Rate = double.PositiveInfinity } : limits;
        if (!_isTrial && !_isSlow)
        {
            return own;
        }

        (_unpaced, _pace) = (own.Rate, Math.Min(own.Rate, Rate * TrialPace));
        return own with { Rate = _pace };
    }

    /// <summary>Tells whether the window should have been used up by now, so that there are none any more.</summary>
    public bool TryEnd(long accepted, double now)
    {
        bool isOver = IsKnown
            && (accepted - _opened.Accepted >= _quota * More || (IsNextKnown && now >= _opened.At + (_period * More)));
        if (isOver)
        {
            _isRefuted |= _isTrial;
            _isTrial = false;
            _quota = _count = 0;
        }

        return isOver;
    }
}
