namespace FastLLM.RateLimiting;

/// <summary>A try whether more a second is accepted: the rate is raised step by step, until a limit is seen.</summary>
internal abstract class RaisingRate(LawSearch search) : SearchPhase(search)
{
    // What too much for a moment leaves behind: an empty bucket, a used up window.
    protected const double Calm = 1;
    private const double CalmIfGrown = 5;

    /// <summary>So much more than before is news, after which still more is tried soon.</summary>
    protected const double Growth = 1.1;

    // At few sends a second, a step lasts for two to eight of them.
    private const double SecondsInStep = 4;
    private const int FewestInStep = 8;

    private double _stepAt;
    private long _stepIndex;

    public override Limits? Before => Held;

    public override Limits InWindow => Held with { Rate = Math.Max(Held.Rate, Passed) };

    /// <summary>Gets the limits that held before.</summary>
    protected Limits Held { get; } = search.Learned.Current;

    /// <summary>Gets the last rate that passed.</summary>
    protected double Passed { get; private set; }

    /// <summary>Gets a value indicating whether the first step is not over.</summary>
    protected bool IsFirstStep => Passed == Held.Rate;

    /// <summary>Gets the moment at which the try began, and what was accepted until then.</summary>
    protected Emptied Began => Search.PhaseFrom;

    protected void Raise(double step, double now)
    {
        Passed = Pacer.Rate;
        Pacer.Set(Passed * (1 + step), now);
        _stepAt = now;
        _stepIndex = Sends.Count;
    }

    /// <summary>Tells whether the step has passed that began last.</summary>
    /// <param name="seconds">How long it lasts at least.</param>
    /// <param name="now">The time.</param>
    protected bool HasPassed(double seconds, double now) =>
        now >= _stepAt + Math.Max(seconds, 4 * Sends.RefusalDelay)
        && Sends.Settled >= _stepIndex + Math.Clamp(Passed * SecondsInStep, 2, FewestInStep);

    /// <summary>Ends the try if so much is not even asked for: then the rate limits nothing.</summary>
    protected bool TryEndUnlimited(double now)
    {
        if (Pacer.HasHeldBack)
        {
            return false;
        }

        // If only slots are lacking, it may once there are more.
        bool maySoon = Cap.HasHeldBack && Cap.Value < Cap.Ceiling;
        double enough = Cap.IsLearnt && SeesAll ? Passed : Pacer.Rate;
        Pacer.Set(maySoon ? enough : double.PositiveInfinity, now);
        End(now, true, 0);
        return true;
    }

    /// <summary>Looks into what is in flight, if a limit on that is seen: a higher rate takes more in flight.</summary>
    protected bool TrySuspectInFlight(double accepted, double now)
    {
        if (!SeesAll || !Evidence.IsByInFlight)
        {
            return false;
        }

        SuspectInFlight(Suspicion() with { Rate = accepted }, now);
        return true;
    }

    /// <summary>Looks into what is in flight, if everything was refused until an answer left a slot.</summary>
    protected bool TrySuspectInFlight(in Cycle cycle, double now)
    {
        if (!SeesAll || !cycle.IsAboutInFlight || !cycle.IsByInFlight)
        {
            return false;
        }

        SuspectInFlight(new Trouble(Held, Evidence.Share(Sends), true, cycle.InFlight, cycle.Rate), now);
        return true;
    }

    protected Trouble Suspicion()
    {
        return new Trouble(Held, Evidence.Share(Sends), false, Evidence.LastInFlight, Evidence.Rate)
        {
            Sent = Math.Max(Evidence.Sent(Sends), 1),
        };
    }

    /// <summary>Holds a rate from now on.</summary>
    /// <param name="rate">The rate.</param>
    /// <param name="now">The time.</param>
    /// <param name="isCertain">Whether what held before was seen to be all that is accepted.</param>
    protected void Keep(double rate, double now, bool isCertain = false)
    {
        Pacer.Set(rate, now);
        End(now, Pacer.Rate > Held.Rate * Growth, Calm, isCertain);
    }

    // So it was no limit on the rate before, either.
    private void SuspectInFlight(Trouble trouble, double now)
    {
        Limits unpaced = Held with { Rate = double.PositiveInfinity };
        double known = Math.Max(trouble.Rate, Floor.Past(Held.Rate));
        Search.Go(new FewerInFlight(Search, trouble with { Before = unpaced, Rate = known }), now);
    }

    private void End(double now, bool grown, double calm, bool isCertain = false)
    {
        Schedule.Tried(Learned.Current, grown, now, Sends.Count, isCertain);
        Search.Hold(now, grown && calm > 0 ? CalmIfGrown : calm);
    }
}
