namespace FastLLM.RateLimiting;

/// <summary>Holds what is known, follows the share of refusals, and suspects a limit where it is clearly more than the noise.</summary>
internal sealed class Holding(LawSearch search, double calmFrom = 0) : SearchPhase(search)
{
    // 400 to 1: this test goes on all the time.
    private const double Certainty = 6;
    private const int FewestForRate = 16;

    // The share of refusals that a closure is taken for.
    private const double ShareOfClosure = 0.6;

    public override void Begin(double now)
    {
        Search.Cap.HasHeldBack = Search.Pacer.HasHeldBack = false;
    }

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor, SendCounter sends) = (Search.Evidence, Search.Floor, Search.Sends);
        floor.Follow(evidence.Sent(sends), evidence.RefusedOf(sends), Search.Pacer.IsOn || Search.Cap.IsLearnt);
        Verdict verdict = evidence.Judge(sends, floor.Well, floor.Bad, Certainty);
        if (verdict == Verdict.Low || (verdict == Verdict.High && now < calmFrom))
        {
            Search.StartEvidence();
        }
        else if (verdict == Verdict.High)
        {
            if ((evidence.Accepted >= FewestForRate && evidence.Span > 2 * sends.RefusalDelay) || (evidence.Span > 4 && evidence.Accepted > 2))
            {
                Suspect(now);
            }

            return;
        }

        if (floor.IsOld(now, sends.Count))
        {
            floor.Forget();
        }

        if (Search.Schedule.IsDue(now, sends.Count))
        {
            if (Search.Pacer.IsOn && Search.Pacer.HasHeldBack)
            {
                Search.Go(new MorePerSecond(Search), now);
            }
            else if (Search.Cap.Value < Search.Cap.Ceiling && Search.Cap.HasHeldBack)
            {
                Search.Go(new MoreInFlight(Search), now);
            }
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        Limits limits = Search.Limits;
        bool paced = Search.Pacer.IsOn;
        if (Search.Closure.ClosedAt < calmFrom)
        {
            // Only what a try for more has left behind; but the closure of a window has measured it.
            if (paced && cycle.IsLasting)
            {
                Search.Pacer.Set(cycle.Rate * MorePerSecond.Below, now);
            }

            Search.Go(new Holding(Search), now);
            return;
        }

        bool knownInFlight = limits.IsInFlightLearnt && !paced && cycle.AtReopening >= limits.InFlight / 4;
        var trouble = new Trouble(limits, ShareOfClosure, true, cycle.IsAboutInFlight ? cycle.InFlight : Math.Max(cycle.InFlight / 2, cycle.AtReopening + 1), cycle.Rate);
        if (cycle.IsAboutInFlight || knownInFlight)
        {
            Search.Go(new FewerInFlight(Search, trouble), now);
        }
        else
        {
            Search.Schedule.IsRough = cycle is { Accepted: < 100, Rate: > 30 };
            trouble.IsInFlightRefuted = true;
            Search.Go(new FewerPerSecond(Search, trouble, cycle.Rate), now);
        }
    }

    private void Suspect(double now)
    {
        Evidence evidence = Search.Evidence;
        Limits limits = Search.Limits;
        var trouble = new Trouble(limits, evidence.Share(Search.Sends), false, evidence.LeastInFlight, evidence.Rate);
        if (evidence.IsAboutInFlight || (limits.IsInFlightLearnt && !Search.Pacer.IsOn))
        {
            Search.Go(new FewerInFlight(Search, trouble), now);
        }
        else
        {
            // A known limit may only be a little too high, and then what passes between refusals says too little where nothing may be used at once.
            double known = limits.Rate * (1 - Search.Floor.Share);
            Search.Go(new FewerPerSecond(Search, trouble, Search.Pacer.IsOn && evidence.Rate < known * 0.75 ? known : evidence.Rate), now);
        }
    }
}
