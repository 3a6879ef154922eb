namespace FastLLM.RateLimiting;

/// <summary>Sends only as many at once as were just taken, and sees whether refusals go away.</summary>
/// <param name="search">The search.</param>
/// <param name="trouble">What is looked into.</param>
/// <param name="isSecond">Whether as many as seemed to be taken at once were a little too many.</param>
internal sealed class FewerInFlight(LawSearch search, Trouble trouble, bool isSecond = false) : SearchPhase(search)
{
    private const double Certainty = 4;
    private const int Fewest = 8;

    // Answers that come together leave slots together, so at first it may look like less than it is.
    private const double LeastPart = 0.35;

    public override double LikelyShare => trouble.LikelyShare;

    public override Limits? Before => trouble.Before;

    public override void Begin(double now)
    {
        int inFlight = Math.Min(trouble.InFlight, trouble.Before.InFlight);
        Learned.Set(trouble.Before with { InFlight = inFlight, IsInFlightLearnt = true }, now);
    }

    public override void Advance(double now)
    {
        double well = trouble.Well(Floor);
        ShareLevel level = Evidence.Judge(Sends, well, trouble.Bad(Floor), Certainty);
        if (level == ShareLevel.Open && Search.IsLate(now))
        {
            level = Evidence.Share(Sends) < well ? ShareLevel.Low : ShareLevel.High;
        }

        if (level == ShareLevel.High && SeesAll && !isSecond && trouble.IsALittleLess(Evidence.LastInFlight))
        {
            Again(Evidence.LastInFlight, now);
        }
        else if (level == ShareLevel.High)
        {
            Refute(now, trouble.Rate);
        }
        else if (level == ShareLevel.Low && Evidence.Sent(Sends) >= Fewest)
        {
            double rate = trouble.Before.Rate;
            if (!double.IsPositiveInfinity(rate) && Evidence.Sent(Sends) < rate * LeastPart * (now - Search.PhaseFrom.At))
            {
                // Far more was accepted a second before, which takes more in flight: so the cut is too deep to show anything.
                Refute(now, trouble.Rate);
                return;
            }

            Search.Helped(trouble, Learned.Current, isCertain: false, now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        if (cycle.IsAboutInFlight && SeesAll && !isSecond && cycle.InFlight < trouble.InFlight)
        {
            Again(cycle.InFlight, now);
            return;
        }

        Schedule.IsRough = cycle.IsRough;
        Refute(now, cycle.Rate);
    }

    // Sends that had not reached the provider yet, or answers that were still on their way, were taken for being in flight there.
    private void Again(int inFlight, double now) =>
        Search.Go(new FewerInFlight(Search, trouble with { InFlight = inFlight }, isSecond: true), now);

    private void Refute(double now, double rate) =>
        Search.Go(new FewerPerSecond(Search, trouble with { IsInFlightRefuted = true }, rate), now);
}
