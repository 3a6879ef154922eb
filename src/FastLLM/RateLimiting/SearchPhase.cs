namespace FastLLM.RateLimiting;

/// <summary>One phase of <see cref="LawSearch"/>: what it does to the limits, and what it makes of the refusals that follow.</summary>
internal abstract class SearchPhase(LawSearch search)
{
    protected LawSearch Search => search;

    protected Observations Seen => search.Seen;

    protected bool SeesAll => search.Seen.SeesAll;

    protected SendCounter Sends => search.Seen.Sends;

    protected Evidence Evidence => search.Seen.Evidence;

    protected NoiseFloor Floor => search.Seen.Floor;

    protected RefusalPattern Pattern => search.Seen.Pattern;

    protected HeldLimits Learned => search.Learned;

    protected InFlightCap Cap => search.Learned.Cap;

    protected Pacer Pacer => search.Learned.Pacer;

    protected RaiseSchedule Schedule => search.Schedule;

    /// <summary>Gets the share of refusals that may well be noise, though it is not known yet.</summary>
    public virtual double LikelyShare => 0;

    /// <summary>Gets the limits that held before; <see langword="null"/> if they still do.</summary>
    public virtual Limits? Before => null;

    /// <summary>Gets the limits to continue with where a window has been used up meanwhile.</summary>
    public virtual Limits InWindow => Before ?? Learned.Current;

    /// <summary>Gets a value indicating whether the gaps between refusals tell something: of all sends, and of few a second.</summary>
    protected bool JudgesGaps => SeesAll && Evidence.IsSlow;

    /// <summary>Takes effect.</summary>
    public abstract void Begin(double now);

    /// <summary>Looks at what is known by now, and may hand over to another phase.</summary>
    public abstract void Advance(double now);

    /// <summary>The provider accepts again.</summary>
    /// <param name="now">The time.</param>
    /// <param name="cycle">What the closure has taught.</param>
    public abstract void Reopened(double now, in Cycle cycle);

    /// <summary>A send begins, other than a probe.</summary>
    public virtual void Sent(in SendMark mark)
    {
    }

    /// <summary>A send was refused.</summary>
    public virtual void Refused(in SendMark mark)
    {
    }

    /// <summary>Ends a try in whose midst everything was refused, though not because of it: what that teaches is judged as if nothing had
    /// been tried.</summary>
    protected void HoldReopened(double now, in Cycle cycle)
    {
        var holding = new Holding(search);
        search.Go(holding, now);
        holding.Reopened(now, cycle);
    }
}

/// <summary>What a closure teaches, from one opening to the next.</summary>
/// <param name="Rate">The sends accepted a second.</param>
/// <param name="InFlight">How many were accepted and still in flight when everything else was refused.</param>
/// <param name="AtReopening">How many others were in flight when a probe was accepted.</param>
/// <param name="IsByInFlight">Whether all refused probes met more others in flight than all accepted ones.</param>
/// <param name="IsAboutInFlight">Whether nothing speaks against a limit on what is in flight: an answer helped, not time.</param>
/// <param name="IsLasting">Whether the closure was a good part of the cycle. Then the provider counts by windows, and the rate is
/// exact.</param>
/// <param name="IsLong">Whether the closure lasted for seconds.</param>
/// <param name="IsRough">Whether the rate is a rough guess, worth to be raised in large steps.</param>
/// <param name="IsWideOpen">Whether a probe was accepted that went early: many may be sent at once.</param>
/// <param name="Opened">When it opened, and what was accepted until then.</param>
internal readonly record struct Cycle(
    double Rate, int InFlight, int AtReopening, bool IsByInFlight, bool IsAboutInFlight, bool IsLasting, bool IsLong,
    bool IsRough, bool IsWideOpen, Emptied Opened);
