namespace FastLLM.RateLimiting;

/// <summary>Finds out by which law a provider refuses: cuts, sees whether cutting helps, and goes back up where it does not.</summary>
/// <remarks>
/// <list type="number">
/// <item><see cref="Holding"/>: what is known holds. More refusals than the <see cref="NoiseFloor"/> raise a suspicion.</item>
/// <item><see cref="FewerInFlight"/> and <see cref="FewerPerSecond"/>: less is sent. If the refusals go away, that is the law.</item>
/// <item>If they do not, though clearly less is sent, they are noise: back to what was before, and their share is the new floor.
/// <see cref="FewerBesideNoise"/> looks at that again.</item>
/// <item><see cref="MoreInFlight"/> and <see cref="RaisingRate"/>: from time to time more is tried, and kept if it is accepted.</item>
/// </list>
/// While everything is refused (<see cref="RateLimiting.Closure"/>) only single probes go.
/// </remarks>
internal sealed class LawSearch
{
    // A trial that tells nothing clear for so long is decided by what is more likely.
    private const double LongestTrial = 10;
    private const int FewestIfLate = 8;
    private const int MaxInTrial = 200;

    // As exact as noise is known where another process has measured it.
    private const int FewestForNoise = 500;

    // 8,000 to 1 that noise is not all there is.
    private const double Doubtless = 9;

    private readonly CycleMeter _cycles;
    private SearchPhase _phase;
    private ThrottlingLaw _law;
    private bool _isNews;

    /// <param name="sends">The sends, the first refusal counted.</param>
    /// <param name="limits">What holds sends back.</param>
    /// <param name="firstAt">When the first send began.</param>
    /// <param name="seesAll">Whether no other process shares the limit.</param>
    public LawSearch(SendCounter sends, HeldLimits limits, double firstAt, bool seesAll)
    {
        Seen = new Observations(sends, firstAt, seesAll);
        Learned = limits;

        // What a slow start has reached was accepted.
        Learned.Trust(Learned.Current);
        _cycles = new CycleMeter(firstAt, seesAll);
        Window = new WindowUse(firstAt);
        Schedule = new RaiseSchedule(seesAll);
        _phase = new Holding(this);
    }

    /// <summary>Gets what the sends have shown.</summary>
    public Observations Seen { get; }

    /// <summary>Gets the limits that hold.</summary>
    public HeldLimits Learned { get; }

    public Closure Closure { get; } = new();

    public WindowUse Window { get; }

    public RaiseSchedule Schedule { get; }

    public Doubts Doubts { get; } = new();

    /// <summary>Gets the law as it was when nothing was tried: a trial changes the limits only for a moment.</summary>
    public ThrottlingLaw Law => IsHolding ? _law = Found() : _law;

    /// <summary>Gets the moment at which the present phase began, and what was accepted until then.</summary>
    public Emptied PhaseFrom { get; private set; }

    /// <summary>Gets a value indicating whether the provider counts by windows, as far as was seen at the last closure.</summary>
    public bool IsWindow => _cycles.IsLasting;

    /// <summary>Gets a value indicating whether nothing is tried and nothing is closed.</summary>
    public bool IsHolding => _phase is Holding or Following && !Closure.IsClosed;

    /// <summary>Gets a value indicating whether it is tried whether more is accepted.</summary>
    public bool IsTryingMore => _phase is RaisingRate or MoreInFlight;

    private SendCounter Sends => Seen.Sends;

    public void Sent(in SendMark mark)
    {
        Seen.Sent(mark);
        if (Closure.IsClosed)
        {
            Closure.Probe(mark);
        }
        else
        {
            _phase.Sent(mark);
            Window.Sent(Sends, Seen.Accepted, mark.At);
        }
    }

    public void Refused(in SendMark mark, double now, double retryAfter)
    {
        _isNews = true;
        Seen.Refused(mark);
        _phase.Refused(mark);
        Window.Refused(Sends, Seen.Accepted, Seen.Floor, now);
        if (Closure.IsClosed)
        {
            Closure.Refuse(mark, now, retryAfter);
        }
        else if (IsClosing())
        {
            Closure.Close(now, Sends.InFlight, Seen.Noise);
            Window.Closed(Closure, Seen.Accepted);
        }

        Advance(now);
    }

    public void Answered(in SendMark mark, double now)
    {
        if (Closure.IsClosed)
        {
            _isNews |= Closure.Answered(mark, now);
        }

        Advance(now);
    }

    public void Failed(in SendMark mark, double now)
    {
        Closure.Failed(mark);
        Advance(now);
    }

    /// <summary>Looks at what is known by now.</summary>
    public void Advance(double now)
    {
        if (!Seen.Settle(now) && !_isNews)
        {
            return;
        }

        _isNews = false;
        if (!Closure.IsClosed)
        {
            Window.Advance(Seen.Accepted, now);
            Seen.Follow(now);
            _phase.Advance(now);
        }
        else if (Closure.HasPassed(Sends.Settled))
        {
            Reopen(now);
        }
    }

    /// <summary>Tells whether a trial has lasted so long that it must be decided.</summary>
    public bool IsLate(double now)
    {
        long sent = Seen.Evidence.Sent(Sends);
        return sent >= MaxInTrial || (now > PhaseFrom.At + LongestTrial && sent >= FewestIfLate);
    }

    public void Go(SearchPhase phase, double now)
    {
        _law = Law;
        PhaseFrom = new Emptied(now, Seen.Accepted);
        _phase = phase;
        Seen.Renew();
        Seen.Pattern.Start(Sends.Count);
        phase.Begin(now);
    }

    /// <summary>Drops the suspicion that the last refusals raised, and continues with the limits as they were before.</summary>
    public void Forgive(double now)
    {
        Closure.Open();
        Learned.Set(_phase.Before ?? Learned.Current, now);
        Hold(now);
    }

    /// <summary>Continues with limits that were learned elsewhere: holds them, or learns on from there.</summary>
    public void Adopt(in Limits limits, double noise, bool follows, bool hasGrown, double now)
    {
        Learned.Set(limits, now);
        Learned.Trust(limits);
        if (noise > 0)
        {
            Seen.Floor.Show(noise, FewestForNoise, now, Sends.Count);
        }
        else
        {
            Seen.Floor.Forget();
        }

        if (hasGrown)
        {
            Schedule.Tried(limits, grown: true, now, Sends.Count);
        }
        else
        {
            Schedule.Learned(limits, now, Sends.Count);
        }

        Go(follows ? new Following(this) : new Holding(this), now);
    }

    /// <summary>Continues with the limits as they are.</summary>
    /// <param name="now">The time.</param>
    /// <param name="calm">For how many seconds refusals are only what a try for more has left behind.</param>
    public void Hold(double now, double calm = 0) => Go(new Holding(this, now + calm), now);

    /// <summary>Continues with limits that are newly learned.</summary>
    public void HoldLearned(double now, double calm = 0)
    {
        Schedule.Learned(Learned.Current, now, Sends.Count);
        Hold(now, calm);
    }

    /// <summary>
    /// A cut helped. If it may have been chance, it counts only the second time: back up first, to see whether it is bad again.
    /// </summary>
    /// <remarks>It is certain where a smaller cut did not help.</remarks>
    public void Helped(Trouble trouble, in Limits limits, bool isCertain, double now)
    {
        Evidence evidence = Seen.Evidence;
        double share = Math.Max(evidence.Share(Sends), 0.01);
        if (ShareTest.Judge(evidence.Sent(Sends), evidence.RefusedOf(Sends), share, trouble.Share, Doubtless) == ShareLevel.Low)
        {
            Learned.Trust(limits);
        }
        else
        {
            Learned.Doubt(trouble, limits);
        }

        bool mayBeChance = !isCertain && trouble.MayBeChance(Seen.Floor) && !Doubts.Repeat(Doubt.Cut, Sends.Count);
        Learned.Set(mayBeChance ? trouble.Before : limits, now);
        HoldLearned(now);
    }

    /// <summary>Uses a window slowly, where more is refused than it explains.</summary>
    public bool TrySlowWindow(double now)
    {
        bool isSlow = Seen.SeesAll && Window.Quota.TrySlow(Seen.Accepted);
        if (isSlow)
        {
            UseWindow(now);
        }

        return isSlow;
    }

    private bool IsClosing()
    {
        double usual = Math.Max(Math.Max(Seen.Floor.Share, Seen.Pattern.Usual), _phase.LikelyShare);
        return Closure.IsDue(Sends, usual)
            || (Window.Quota.IsUsedUp(Seen.Accepted) && Closure.IsDueAsExpected(Sends, Seen.Floor.Share));
    }

    // A rate is held just below the limit.
    private ThrottlingLaw Found()
    {
        double rate = Math.Min(Seen.Floor.Past(Learned.Pacer.Rate) / MorePerSecond.Below, Window.Quota.Rate);
        return new ThrottlingLaw(
            Seen.Floor.Share > 0.01 ? Seen.Floor.Share : 0,
            Learned.Cap.IsLearnt ? Learned.Cap.Value : null,
            double.IsPositiveInfinity(rate) ? null : rate);
    }

    private void Reopen(double now)
    {
        if (!_cycles.TryEnd(Closure, Seen.Accepted, now, out Cycle cycle))
        {
            return;
        }

        Closure.Open();
        WindowQuota quota = Window.Quota;
        if (Seen.SeesAll && (IsSameWindow(now) || quota.TryOpen(Closure, cycle, now) || quota.TrySlow(Seen.Accepted)))
        {
            UseWindow(now);
        }
        else
        {
            _phase.Reopened(now, cycle);
        }
    }

    // Closed by chance; or a window that slides, whose first sends become free one by one.
    private bool IsSameWindow(double now) =>
        Closure.Opening.IsTooSoon(now) || (!Seen.Floor.IsNoisy && Window.Quota.IsFresh(Seen.Accepted));

    private void UseWindow(double now)
    {
        if (IsTryingMore)
        {
            Schedule.Tried(Learned.Current, grown: false, now, Sends.Count);
        }

        Learned.Set(Window.Quota.LimitsFrom(_phase.InWindow), now);
        Window.Begin(Sends, now);
        Schedule.Delay(now);
        Hold(now);
    }
}
