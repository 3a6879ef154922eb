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
    // Many fields because the phases share the parts that the limiter is composed of.
    // Long because they share what is done with them, too.
    // A trial that tells nothing clear for so long is decided by what is more likely.
    private const double LongestTrial = 10;
    private const int FewestIfLate = 8;
    private const int MaxInTrial = 200;

    // As exact as noise is known where another process has measured it.
    private const int FewestForNoise = 500;

    private const double Start = 1;

    // Sends settle after one to two delays.
    private const double DelaysToSettle = 1.5;

    // 8,000 to 1 that noise is not all there is.
    private const double Doubtless = 9;

    private readonly CycleMeter _cycles;
    private SearchPhase _phase;
    private ThrottlingLaw _law;
    private (Limits Limits, double Share) _doubtful;
    private readonly double _firstAt;
    private bool _isNews;
    private double _lastAt;
    private double _evidenceFrom;

    /// <param name="sends">The sends, the first refusal counted.</param>
    /// <param name="cap">The limit on what is in flight.</param>
    /// <param name="pacer">The limit on the rate.</param>
    /// <param name="firstAt">When the first send began.</param>
    /// <param name="seesAll">Whether no other process shares the limit.</param>
    public LawSearch(SendCounter sends, InFlightCap cap, Pacer pacer, double firstAt, bool seesAll)
    {
        (Sends, Cap, Pacer) = (sends, cap, pacer);
        _cycles = new CycleMeter(firstAt, seesAll);
        Window = new WindowUse(firstAt);
        Pattern = new RefusalPattern(seesAll);
        Schedule = new RaiseSchedule(seesAll);
        SeesAll = seesAll;
        _firstAt = firstAt;
        Trusted = Limits;
        _phase = new Holding(this);
    }

    public SendCounter Sends { get; }

    /// <summary>Gets a value indicating whether no other process shares the limit.</summary>
    public bool SeesAll { get; }

    public InFlightCap Cap { get; }

    public Pacer Pacer { get; }

    public Closure Closure { get; } = new();

    public WindowUse Window { get; }

    public Evidence Evidence { get; } = new();

    public NoiseFloor Floor { get; } = new();

    /// <summary>Gets how the refusals of the present phase are spread.</summary>
    public RefusalPattern Pattern { get; }

    /// <summary>Gets the last moment at which the provider had nothing left: what it accepts from there to the next such moment is its
    /// limit.</summary>
    public Emptied Emptied { get; private set; }

    /// <summary>Gets or sets the moment with nothing left at which the rate was lowered last.</summary>
    public Emptied Lowered { get; set; }

    public Doubts Doubts { get; } = new();

    public Doubts Outages { get; } = new();

    /// <summary>Gets whether noise was found after a closure.</summary>
    public Doubts Closures { get; } = new();

    /// <summary>Gets whether a limit was seen beside the noise a short time ago: if it is seen again, the floor is wrong.</summary>
    public Doubts Regular { get; } = new();

    public RaiseSchedule Schedule { get; }

    /// <summary>Gets the last limits that were learned beyond doubt, even if noise was taken for a limit meanwhile.</summary>
    public Limits Trusted { get; private set; }

    public Limits Limits => new(Cap.Value, Cap.IsLearnt, Pacer.Rate);

    /// <summary>Gets the law as it was when nothing was tried: a trial changes the limits only for a moment.</summary>
    public ThrottlingLaw Law => IsHolding ? _law = Found() : _law;

    /// <summary>Gets the moment at which the present phase began, and what was accepted until then.</summary>
    public Emptied PhaseFrom { get; private set; }

    /// <summary>Gets a value indicating whether the provider counts by windows, as far as was seen at the last closure.</summary>
    public bool IsWindow { get; private set; }

    /// <summary>Gets a value indicating whether nothing is tried and nothing is closed.</summary>
    public bool IsHolding => _phase is Holding or Following && !Closure.IsClosed;

    /// <summary>Gets a value indicating whether it is tried whether more is accepted.</summary>
    public bool IsTryingMore => _phase is RaisingRate or MoreInFlight;

    /// <summary>Gets how many accepted sends were in flight on average, those counted that are not settled yet.</summary>
    public double AcceptedInFlight => Evidence.AcceptedInFlight + (AcceptedRate * DelaysToSettle * Sends.RefusalDelay);

    /// <summary>Gets the sends that were accepted a second, as far as the evidence goes back.</summary>
    public double AcceptedRate => Evidence.Sent(Sends) * (1 - Evidence.Share(Sends)) / Math.Max(_lastAt - _evidenceFrom, 1e-3);

    /// <summary>Gets the number of sends that were not refused.</summary>
    public long Accepted => Sends.Count - Sends.Refused;

    public void Sent(in SendMark mark)
    {
        Evidence.Add(mark, Sends.AcceptedInFlight);
        if (Closure.IsClosed)
        {
            Closure.Probe(mark);
        }
        else
        {
            _phase.Sent(mark);
            Window.Sent(Sends, Accepted, mark.At);
        }
    }

    public void Refused(in SendMark mark, double now, double retryAfter)
    {
        _isNews = true;
        Evidence.Refuse(mark, Sends.InFlight);
        _phase.Refused(mark);
        Window.Refused(Sends, Accepted, Floor, now);
        if (!Floor.IsNoisy)
        {
            Emptied = new Emptied(mark.At, mark.Index - Sends.Refused + 1);
        }

        if (Closure.IsClosed)
        {
            Closure.Refuse(mark, now, retryAfter);
        }
        else if (Closure.IsDue(Sends, Math.Max(Math.Max(Floor.Share, Pattern.Usual), _phase.LikelyShare))
            || (Window.Quota.IsUsedUp(Accepted) && Closure.IsDueAsExpected(Sends, Floor.Share)))
        {
            Closure.Close(now, Sends.InFlight);
            if (Window.Quota.IsKnown)
            {
                Closure.Opening.Set(Window.Quota.NextAt, Window.Quota.IsNextKnown, Window.Quota.IsUsedUp(Accepted));
            }
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
        _lastAt = now;
        if (!Sends.Settle(now) && !_isNews)
        {
            return;
        }

        _isNews = false;
        if (!Closure.IsClosed)
        {
            Window.Advance(Accepted, now);
            Pattern.Follow(Sends, now);
            Floor.Lower(Pattern.Share, Pattern.Sent);
            _phase.Advance(now);
        }
        else if (Closure.HasPassed(Sends.Settled))
        {
            Reopen(now);
        }
    }

    /// <summary>Tells whether so little time has passed that connections are still made, and code is still compiled, here or
    /// there.</summary>
    public bool IsAtStart(double now) => now < _firstAt + Start;

    /// <summary>Gets whether a trial has lasted so long that it must be decided.</summary>
    public bool IsLate(double now) =>
        Evidence.Sent(Sends) >= MaxInTrial || (now > PhaseFrom.At + LongestTrial && Evidence.Sent(Sends) >= FewestIfLate);

    public void Go(SearchPhase phase, double now)
    {
        _law = Law;
        PhaseFrom = new Emptied(now, Accepted);
        _phase = phase;
        StartEvidence();
        Pattern.Start(Sends.Count);
        phase.Begin(now);
    }

    /// <summary>Drops the suspicion that the last refusals raised, and continues with the limits as they were before.</summary>
    public void Forgive(double now)
    {
        Closure.Open();
        Set(_phase.Before ?? Limits, now);
        Hold(now);
    }

    /// <summary>Continues with limits that were learned elsewhere: holds them, or learns on from there.</summary>
    public void Adopt(in Limits limits, double noise, bool follows, bool hasGrown, double now)
    {
        Set(limits, now);
        Trust(limits);
        if (noise > 0)
        {
            Floor.Show(noise, FewestForNoise, now, Sends.Count);
        }
        else
        {
            Floor.Forget();
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
    public void Learned(double now, double calm = 0)
    {
        Schedule.Learned(Limits, now, Sends.Count);
        Hold(now, calm);
    }

    /// <summary>
    /// A cut helped. If it may have been chance, it counts only the second time: back up first, to see whether it is bad again.
    /// </summary>
    /// <remarks>It is certain where a smaller cut did not help.</remarks>
    public void Helped(Trouble trouble, in Limits limits, bool isCertain, double now)
    {
        double share = Math.Max(Evidence.Share(Sends), 0.01);
        if (ShareTest.Judge(Evidence.Sent(Sends), Evidence.RefusedOf(Sends), share, trouble.Share, Doubtless) == ShareLevel.Low)
        {
            Trust(limits);
        }
        else
        {
            Doubt(trouble, limits);
        }

        bool mayBeChance = !isCertain && trouble.MayBeChance(Floor) && !Doubts.Repeats(Sends.Count);
        Set(mayBeChance ? trouble.Before : limits, now);
        Learned(now);
    }

    /// <summary>The limits are right, unless the refusals that led to them were noise.</summary>
    public void Doubt(Trouble trouble, in Limits limits) =>
        _doubtful = trouble.Share > _doubtful.Share ? (limits, trouble.Share) : _doubtful;

    /// <summary>The limits have proved themselves.</summary>
    public void Trust(in Limits limits)
    {
        Trusted = limits;
        _doubtful = default;
    }

    /// <summary>Gets the limits to continue with when it has turned out that refusals were noise.</summary>
    /// <remarks>What was learned while noise was taken for a limit is dropped, unless noise does not explain it.</remarks>
    /// <param name="noise">The share of noise.</param>
    /// <param name="before">The limits that held before noise was proved.</param>
    public Limits WithoutNoise(double noise, in Limits before) =>
        (_doubtful.Share > (2 * noise) + 0.1 ? _doubtful.Limits : Trusted).Since(before);

    public void StartEvidence()
    {
        Evidence.Start(Sends.Count);
        _evidenceFrom = _lastAt;
        Floor.Restart();
    }

    public void Set(in Limits limits, double now)
    {
        Cap.Set(limits.InFlight, limits.IsInFlightLearnt);
        Pacer.Set(limits.Rate, now);
    }

    /// <summary>Uses a window slowly, where more is refused than it explains.</summary>
    public bool TrySlowWindow(double now)
    {
        bool isSlow = SeesAll && Window.Quota.TrySlow(Accepted);
        if (isSlow)
        {
            UseWindow(now);
        }

        return isSlow;
    }

    // A rate is held just below the limit.
    private ThrottlingLaw Found() => new(
        Floor.Share > 0.01 ? Floor.Share : 0,
        Cap.IsLearnt ? Cap.Value : null,
        Math.Min(Floor.Past(Pacer.Rate) / MorePerSecond.Below, Window.Quota.Rate) is < double.PositiveInfinity and var rate ? rate : null);

    private void Reopen(double now)
    {
        if (_cycles.TryEnd(Closure, Accepted, now, out Cycle cycle))
        {
            IsWindow = cycle.IsLasting;
            Closure.Open();
            if (SeesAll && (IsSameWindow(now) || Window.Quota.TryOpen(Closure, cycle, now) || Window.Quota.TrySlow(Accepted)))
            {
                UseWindow(now);
            }
            else
            {
                _phase.Reopened(now, cycle);
            }
        }
    }

    // Closed by chance; or a window that slides, whose first sends become free one by one.
    private bool IsSameWindow(double now) => Closure.Opening.IsTooSoon(now) || (!Floor.IsNoisy && Window.Quota.IsFresh(Accepted));

    private void UseWindow(double now)
    {
        if (IsTryingMore)
        {
            Schedule.Tried(Limits, grown: false, now, Sends.Count);
        }

        Set(Window.Quota.LimitsFrom(_phase.InWindow), now);
        Window.Begin(Sends, now);
        Schedule.Delay(now);
        Hold(now);
    }
}
