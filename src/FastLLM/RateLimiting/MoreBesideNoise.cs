namespace FastLLM.RateLimiting;

/// <summary>Raises a known rate beside noise, by half each time, until a limit is seen, and keeps what was accepted.</summary>
/// <remarks>
/// Beside noise a limit is seen the sooner, and after the fewer refusals, the more is sent beyond it: the share that it refuses is then far
/// from that of noise. So steps are large. What is saved up goes first, so what was accepted before does not speak against a limit.
/// </remarks>
internal sealed class MoreBesideNoise(LawSearch search) : RaisingRate(search)
{
    /// <summary>Fewer sends a second take too long to show a limit, and would be raised too far meanwhile.</summary>
    public const double LowestRate = 4;

    private const double Step = 0.5;

    // Where a second's worth may be saved up, half as much again uses it up in three seconds.
    private const double FirstStep = 3;
    private const double LaterStep = 1;

    // 3,000 to 1, as the test starts over whenever it speaks for noise.
    private const double Certainty = 8;
    private const double CertaintyOfNoise = 1;

    // What is accepted beside noise is known only nearly.
    private const double BelowMeasured = 0.9;

    // If hardly more is accepted than before, though half as much again is sent, what was sent before was all that is accepted, or more.
    private const double HardlyMore = 1.25;
    private const double BelowHeld = 0.93;
    private const int FewestHeld = 32;
    private const double ShortestHeld = 0.9;

    private readonly Emptied _heldFrom = search.PhaseFrom;
    private double _evidenceAt;

    // The share that would be refused if what has passed were the limit.
    private double Bad => Math.Max(Floor.Bad, 1 - Floor.Past(Passed / Pacer.Rate));

    public override void Begin(double now) => RaiseByStep(now);

    public override void Advance(double now)
    {
        double bad = Bad;
        if (Evidence.Judge(Sends, Floor.Well, bad, Certainty) == ShareLevel.High || (Floor.IsNoisy && Pattern.IsRegular))
        {
            Refuse(now);
            return;
        }

        if (Evidence.Judge(Sends, Floor.Well, bad, CertaintyOfNoise) == ShareLevel.Low)
        {
            StartEvidence(now);
        }

        if (HasPassed(IsFirstStep ? FirstStep : LaterStep, now) && !TryEndUnlimited(now))
        {
            RaiseByStep(now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        double rate = Floor.Before(cycle.Rate);
        Keep(cycle.IsLasting ? rate * MorePerSecond.Below : Math.Clamp(rate * BelowMeasured, Held.Rate, Pacer.Rate), now);
    }

    private void RaiseByStep(double now)
    {
        Raise(Step, now);
        StartEvidence(now);
    }

    private void StartEvidence(double now)
    {
        Seen.Renew();
        _evidenceAt = now;
    }

    private void Refuse(double now)
    {
        double accepted = new Emptied(now, Seen.Accepted).RateSince(Began);
        if (TrySuspectInFlight(Floor.Before(accepted), now))
        {
            return;
        }

        // Since the refusals began, nothing was saved up any more.
        double measured = Evidence.Sent(Sends) * (1 - Evidence.Share(Sends)) / Math.Max(now - _evidenceAt, 1e-3);
        double limit = Floor.Before(measured) * BelowMeasured;
        double held = Began.RateSince(_heldFrom);
        bool isHeldLongEnough = Began.At - _heldFrom.At > ShortestHeld && Began.Accepted - _heldFrom.Accepted >= FewestHeld;
        if (!IsFirstStep || !isHeldLongEnough)
        {
            Keep(Math.Max(Math.Min(limit, Pacer.Rate), Held.Rate), now);
        }
        else if (accepted < held * HardlyMore)
        {
            Keep(Math.Min(Floor.Before(held) * BelowHeld, Held.Rate), now, isCertain: true);
        }
        else
        {
            Keep(Math.Clamp(limit, Held.Rate, Held.Rate * Growth), now);
        }
    }
}
