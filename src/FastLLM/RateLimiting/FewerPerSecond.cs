namespace FastLLM.RateLimiting;

/// <summary>Sends less a second than was just taken, and sees whether refusals go away.</summary>
/// <remarks>
/// The first cut goes just below what was measured, the second one clearly below what was measured then. If as large a share is refused
/// after it, that is no matter of the rate: the share is noise.
/// </remarks>
/// <param name="search">The search.</param>
/// <param name="trouble">What is looked into.</param>
/// <param name="rate">What the provider takes a second.</param>
/// <param name="last">What the cut before has shown; <see langword="null"/> if this is the first one.</param>
internal sealed class FewerPerSecond(LawSearch search, Trouble trouble, double rate, Cut? last = null) : SearchPhase(search)
{
    private const double Certainty = 4;
    private const int Fewest = 8;
    private const double Slightly = 0.97;
    private const double Clearly = 0.75;

    // A probe each 5 s.
    private const double LowestRate = 0.2;

    public override double LikelyShare => trouble.LikelyShare;

    public override Limits? Before => trouble.Before;

    // The share of noise is measured for 5 s, then for 10 s. More sends than these make it no more exact than it has to be.
    private double Needed => last is null ? Math.Clamp(Search.Pacer.Rate * 5, 16, 32) : Math.Clamp(Search.Pacer.Rate * 10, 32, 96);

    public override void Begin(double now) =>
        Search.Set(trouble.Before with { Rate = Of(last is { IsFirst: true } ? Clearly : Slightly) }, now);

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor) = (Search.Evidence, Search.Floor);
        long sent = evidence.Sent(Search.Sends);
        ShareLevel level = evidence.Judge(Search.Sends, trouble.Well(floor), trouble.Bad(floor), Certainty, Search.IsLate(now));
        if (level == ShareLevel.Low && sent >= Fewest)
        {
            Search.Helped(trouble, trouble.Before with { Rate = Of(Slightly) }, now);
        }
        else if (level == ShareLevel.High && sent >= Needed)
        {
            var cut = new Cut(evidence.Share(Search.Sends), sent, last is null);
            if (last is { } before && cut.IsNoLessThan(before))
            {
                Limits limits = floor.Share < cut.Share / 2 ? Search.WithoutNoise(cut.Share, trouble.Before) : trouble.Before;
                floor.Show(cut.Share, sent, now, Search.Sends.Count);
                EndWithNoise(trouble with { Before = limits }, now);
            }
            else
            {
                double measured = evidence.Accepted >= Fewest ? evidence.Rate : rate * (1 - cut.Share);
                Search.Go(new FewerPerSecond(Search, trouble, measured, cut), now);
            }
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        if (cycle.IsAboutInFlight && !trouble.IsInFlightRefuted)
        {
            Search.Go(new FewerInFlight(Search, trouble with { InFlight = cycle.InFlight, IsByClosure = true }), now);
            return;
        }

        Search.Schedule.IsRough = cycle.IsRough;
        Search.Go(new FewerPerSecond(Search, trouble with { IsByClosure = true }, cycle.Rate), now);
    }

    // Where everything was refused, there is a limit beside the noise. What was ruled out before the noise was known deserves another look.
    private void EndWithNoise(Trouble trouble, double now)
    {
        if (trouble is { IsByClosure: true, IsInFlightRefuted: true } && trouble.InFlight < trouble.Before.InFlight)
        {
            Search.Go(new FewerInFlight(Search, trouble with { IsInFlightRefuted = false, Rate = rate }), now);
            return;
        }

        // What was accepted between refusals is known, and now also how much the noise adds. That is no more than what was sent before.
        double before = trouble.Before.Rate;
        bool wasPaced = !double.IsPositiveInfinity(before) && trouble.Rate > 0;
        Search.Set(trouble.Before with { Rate = wasPaced ? Math.Min(Search.Floor.Before(trouble.Rate), before) : before }, now);
        Search.Learned(now);
    }

    // The rate is what is accepted: what noise refuses comes on top.
    private double Of(double part) => Math.Max(Math.Min(Search.Floor.Before(rate) * part, trouble.Before.Rate), LowestRate);
}

/// <summary>What a cut has shown.</summary>
/// <param name="Share">The share of refusals.</param>
/// <param name="Sent">The sends it was measured from.</param>
/// <param name="IsFirst">Whether it was the first cut.</param>
internal readonly record struct Cut(double Share, long Sent, bool IsFirst)
{
    /// <summary>Tells whether the share is no lower than before, but for one standard deviation.</summary>
    public bool IsNoLessThan(in Cut before) =>
        Share >= before.Share - Math.Sqrt(Share * (1 - Share) * ((1.0 / Sent) + (1.0 / before.Sent)));
}
