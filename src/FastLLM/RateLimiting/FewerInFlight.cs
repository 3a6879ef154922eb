namespace FastLLM.RateLimiting;

/// <summary>Sends only as much at once as was just taken, and sees whether refusals go away.</summary>
internal sealed class FewerInFlight(LawSearch search, Trouble trouble) : SearchPhase(search)
{
    private const double Certainty = 4;
    private const int Fewest = 8;

    public override double LikelyShare => trouble.IsByClosure ? 0.4 : 0;

    public override void Begin(double now) => Search.Set(trouble.Before with { InFlight = Math.Min(trouble.InFlight, trouble.Before.InFlight), IsInFlightLearnt = true }, now);

    public override void Advance(double now)
    {
        Evidence evidence = Search.Evidence;
        Verdict verdict = evidence.Judge(Search.Sends, trouble.Well(Search.Floor), trouble.Bad(Search.Floor), Certainty, Search.IsLate(now));
        if (verdict == Verdict.High)
        {
            Refute(now, trouble.Rate);
        }
        else if (verdict == Verdict.Low && evidence.Sent(Search.Sends) >= Fewest)
        {
            if (Search.Floor.IsNoisy && !trouble.IsByClosure && !Search.Doubts.Repeats(now))
            {
                // It may have been chance: back up, to see whether it is bad again.
                Search.Set(trouble.Before, now);
            }

            Search.Schedule.Learnt(Search.Limits, now, Search.Sends.Count);
            Search.Go(new Holding(Search), now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        Search.Schedule.IsRough = cycle is { Accepted: < 100, Rate: > 30 };
        Refute(now, cycle.Rate);
    }

    private void Refute(double now, double rate)
    {
        trouble.IsInFlightRefuted = true;
        Search.Go(new FewerPerSecond(Search, trouble, rate), now);
    }
}
