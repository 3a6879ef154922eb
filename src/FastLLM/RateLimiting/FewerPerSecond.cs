namespace FastLLM.RateLimiting;

/// <summary>Sends less a second than was just taken, and sees whether refusals go away. If they do not, though clearly less is sent, they are noise.</summary>
/// <param name="search">The search.</param>
/// <param name="trouble">What is looked into.</param>
/// <param name="rate">What the provider takes a second.</param>
/// <param name="share">The share of refusals with a little less; <see langword="null"/> if this is the first cut.</param>
internal sealed class FewerPerSecond(LawSearch search, Trouble trouble, double rate, double? share = null, long sharedOf = 0, bool isSecond = false) : SearchPhase(search)
{
    private const double Certainty = 4;
    private const int Fewest = 8;
    private const double Slightly = 0.97;
    private const double Clearly = 0.75;
    private const double LowestRate = 0.2;

    // What the share of noise is told from takes five seconds, then ten, and between 16 and 96 sends.
    private double Needed => share is null ? Math.Clamp(Search.Pacer.Rate * 5, 16, 32) : Math.Clamp(Search.Pacer.Rate * 10, 32, 96);

    public override double LikelyShare => trouble.IsByClosure ? 0.4 : 0;

    public override void Begin(double now) => Search.Set(trouble.Before with { Rate = Of(isSecond ? Clearly : Slightly) }, now);

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor) = (Search.Evidence, Search.Floor);
        long sent = evidence.Sent(Search.Sends);
        Verdict verdict = evidence.Judge(Search.Sends, trouble.Well(floor), trouble.Bad(floor), Certainty, Search.IsLate(now));
        if (verdict == Verdict.Low && sent >= Fewest)
        {
            // If it may have been chance: back up, to see whether it is bad again.
            bool maybeChance = floor.IsNoisy && !trouble.IsByClosure && !Search.Doubts.Repeats(now);
            Search.Set(maybeChance ? trouble.Before : trouble.Before with { Rate = Of(Slightly) }, now);
            Search.Schedule.Learnt(Search.Limits, now, Search.Sends.Count);
            Search.Go(new Holding(Search), now);
        }
        else if (verdict == Verdict.High && sent >= Needed)
        {
            double bad = evidence.Share(Search.Sends);
            if (share is { } before && bad >= before - Math.Sqrt(bad * (1 - bad) * ((1.0 / sent) + (1.0 / sharedOf))))
            {
                floor.Show(bad, sent, now, Search.Sends.Count);
                EndWithNoise(now);
            }
            else
            {
                double measured = evidence.Accepted >= Fewest ? evidence.Rate : rate * (1 - bad);
                Search.Go(new FewerPerSecond(Search, trouble, measured, bad, sent, share is null), now);
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

        Search.Schedule.IsRough = cycle is { Accepted: < 100, Rate: > 30 };
        Search.Go(new FewerPerSecond(Search, trouble with { IsByClosure = true }, cycle.Rate), now);
    }

    // Where everything was refused, there is a limit beside the noise. What was ruled out before the noise was known deserves another look.
    private void EndWithNoise(double now)
    {
        if (trouble.IsByClosure && trouble.InFlight < trouble.Before.InFlight && trouble.IsInFlightRefuted)
        {
            Search.Go(new FewerInFlight(Search, trouble with { IsInFlightRefuted = false, Rate = rate }), now);
            return;
        }

        Search.Set(trouble.Before, now);
        Search.Schedule.Learnt(Search.Limits, now, Search.Sends.Count);
        Search.Go(new Holding(Search), now);
    }

    private double Of(double part) => Math.Max(Math.Min(rate * part / (1 - Search.Floor.Share), trouble.Before.Rate), LowestRate);
}
