namespace FastLLM.RateLimiting;

/// <summary>Sends only as many at once as were just taken, and sees whether refusals go away.</summary>
internal sealed class FewerInFlight(LawSearch search, Trouble trouble) : SearchPhase(search)
{
    private const double Certainty = 4;
    private const int Fewest = 8;

    public override double LikelyShare => trouble.LikelyShare;

    public override void Begin(double now)
    {
        int inFlight = Math.Min(trouble.InFlight, trouble.Before.InFlight);
        Search.Set(trouble.Before with { InFlight = inFlight, IsInFlightLearnt = true }, now);
    }

    public override void Advance(double now)
    {
        Evidence evidence = Search.Evidence;
        double well = trouble.Well(Search.Floor);
        Verdict verdict = evidence.Judge(Search.Sends, well, trouble.Bad(Search.Floor), Certainty);
        if (verdict == Verdict.Open && Search.IsLate(now))
        {
            verdict = evidence.Share(Search.Sends) < well ? Verdict.Low : Verdict.High;
        }

        if (verdict == Verdict.High)
        {
            Refute(now, trouble.Rate);
        }
        else if (verdict == Verdict.Low && evidence.Sent(Search.Sends) >= Fewest)
        {
            Search.Helped(trouble, Search.Limits, now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        Search.Schedule.IsRough = cycle.IsRough;
        Refute(now, cycle.Rate);
    }

    private void Refute(double now, double rate) =>
        Search.Go(new FewerPerSecond(Search, trouble with { IsInFlightRefuted = true }, rate), now);
}
