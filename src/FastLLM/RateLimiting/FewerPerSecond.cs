namespace FastLLM.RateLimiting;

/// <summary>Sends less a second than was just taken, and sees whether refusals go away.</summary>
/// <remarks>
/// The first cut goes just below what was measured, the second one clearly below what was measured then. A limit that has just accepted
/// more does not refuse that: the share that is still refused is noise. If it is as large as before, all of it is. The second cut is
/// not needed where the spread of refusals shows what they are: by chance, or regular.
/// </remarks>
/// <param name="search">The search.</param>
/// <param name="trouble">What is looked into.</param>
/// <param name="rate">What the provider takes a second.</param>
/// <param name="last">What the cut before has shown; <see langword="null"/> if this is the first one, or what was accepted could not be
/// measured then.</param>
internal sealed class FewerPerSecond(LawSearch search, Trouble trouble, double rate, Cut? last = null) : SearchPhase(search)
{
    private const double Certainty = 4;
    private const int Fewest = 8;
    private const double Slightly = 0.97;
    private const double Clearly = 0.75;

    // A probe each 5 s.
    private const double LowestRate = 0.2;

    // How refusals are spread is awaited for so many sends, where that takes seconds only and not nearly everything is refused.
    private const int LongestPattern = 256;
    private const double MostNoise = 0.7;
    private const double MuchMore = 1.5;

    // A third of what was refused when more was sent is no chance.
    private const double MuchLess = 3;

    // So many blocks of sends tell what is accepted when nothing is saved up any more.
    private const int FewestForLatest = 4;

    // If hardly any of so many are accepted, what is accepted will not be measured soon.
    private const int EnoughUnmeasured = 32;

    // But no such cut goes to nothing, from which it takes minutes to come back.
    private const double LeastUnmeasured = 0.1;

    public override double LikelyShare => trouble.LikelyShare;

    public override Limits? Before => trouble.Before;

    public override Limits InWindow => Learned.Current;

    // The share of noise is measured for 5 s, where that is enough. More sends than these make it no more exact than it has to be.
    private double Needed => last is null ? Math.Clamp(Pacer.Rate * 5, 12, 32) : Math.Clamp(Pacer.Rate * 5, 16, 96);

    // The first cut costs hardly anything, a second one does.
    private bool MaySoonBeKnown => last is null && SeesAll && Evidence.Share(Sends) < MostNoise
        && (Pacer.Rate > Evidence.MostPerSecond ? Pattern.Sent < LongestPattern : JudgesGaps && Evidence.MayBeRandom);

    // At first, what was saved up may have been accepted on top.
    private double LatestRate => SeesAll && Pattern.Sent >= FewestForLatest * SendBlocks.Size
        ? Pattern.LatestRate(FewestForLatest) : double.PositiveInfinity;

    // Much more noise than is known is less likely than a limit.
    private bool IsPatternLongEnough => !Floor.IsNoisy
        || Pattern.Sent >= LongestPattern || Pattern.Share < MuchMore * Floor.Share;

    // As long as no limit is known, it must be more certain that there is one.
    private bool IsRegular => double.IsPositiveInfinity(trouble.Before.Rate) ? Pattern.IsCertainlyRegular : Pattern.IsRegular;

    public override void Begin(double now) =>
        Learned.Set(trouble.Before with { Rate = Of(last is null ? Slightly : Clearly) }, now);

    public override void Advance(double now)
    {
        long sent = Evidence.Sent(Sends);
        ShareLevel level = Evidence.Judge(Sends, trouble.Well(Floor), trouble.Bad(Floor), Certainty, Search.IsLate(now));
        bool isMeasured = Evidence.Accepted >= Fewest;
        if (level == ShareLevel.Low && sent >= Fewest)
        {
            Search.Helped(trouble, trouble.Before with { Rate = Of(Slightly) }, isCertain: last is not null, now);
        }
        else if (level == ShareLevel.High && Pattern.IsRandom && IsPatternLongEnough)
        {
            EndRandom(new Cut(Pattern.Share, Pattern.Sent), now);
        }
        else if (level == ShareLevel.High && last is null && JudgesGaps && Evidence.IsRandom)
        {
            EndRandom(new Cut(Evidence.ShareInGaps, Evidence.SentInGaps), now);
        }
        else if (level == ShareLevel.High && IsRegular)
        {
            EndWithLimit(Pattern.Rate, now);
        }
        else if (level == ShareLevel.High && sent >= Needed && (isMeasured || sent >= EnoughUnmeasured) && !MaySoonBeKnown)
        {
            Judge(new Cut(Evidence.Share(Sends), sent), isMeasured, now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        if (cycle.IsAboutInFlight && !(trouble.IsInFlightRefuted && trouble.IsByClosure))
        {
            // What was refuted before, if anything, was another number.
            Trouble inFlight = trouble with { InFlight = cycle.InFlight, Rate = cycle.Rate, IsByClosure = true, IsInFlightRefuted = false };
            Search.Go(new FewerInFlight(Search, inFlight), now);
            return;
        }

        Schedule.IsRough = cycle.IsRough;
        Search.Go(new FewerPerSecond(Search, trouble with { IsByClosure = true }, cycle.Rate), now);
    }

    // What is still refused after a cut may be noise, or still too much.
    private void Judge(in Cut cut, bool isMeasured, double now)
    {
        int change = last is { } before ? cut.CompareTo(before) : -1;
        bool isLessThanEver = SeesAll && !trouble.IsByClosure && cut.CompareTo(Worst(cut)) < 0;
        if (SeesAll && last is null && isMeasured && cut.Share * MuchLess < trouble.Worst.Share)
        {
            // Far more was sent and refused a moment ago, so it is known what is accepted.
            EndBesideNoise(cut, Math.Min(rate, LatestRate), now);
        }
        else if (last is not null && (change < 0 || (change == 0 && isLessThanEver)))
        {
            // Clearly less is sent than was just accepted, so no limit refuses the rest. What was accepted before that shows nothing:
            // it may have been saved up.
            EndBesideNoise(cut, rate, now);
        }
        else if (change == 0)
        {
            Limits limits = Floor.Share < cut.Share / 2 ? Learned.WithoutNoise(cut.Share, trouble.Before) : trouble.Before;
            Schedule.IsRough = false;
            Floor.Show(cut.Share, cut.Sent, now, Sends.Count);
            EndWithNoise(trouble with { Before = limits }, now);
        }
        else
        {
            double measured = isMeasured ? Math.Min(Evidence.Rate, LatestRate) : rate * Math.Max(1 - cut.Share, LeastUnmeasured);
            Trouble remembered = trouble with { Worst = Worst(cut) };
            Search.Go(new FewerPerSecond(Search, remembered, measured, change > 0 || !isMeasured ? null : cut), now);
        }
    }

    private void EndBesideNoise(in Cut cut, double accepted, double now)
    {
        Schedule.IsRough = false;
        Floor.Show(cut.Share, cut.Sent, now, Sends.Count);
        EndWithLimit(accepted, now);
    }

    // What is still refused is noise. If as much was refused before the cut, all of it was. If everything was refused, noise may have
    // looked like that, as it was not known: only the second time it has not.
    private void EndRandom(in Cut cut, double now)
    {
        bool isAll = trouble.IsByClosure
            ? !Search.Doubts.Repeat(Doubt.Closure, Sends.Count)
            : cut.CompareTo(Worst(cut)) >= 0;
        bool isNew = Floor.Share < cut.Share / 2;
        Floor.Show(cut.Share, cut.Sent, now, Sends.Count);
        Schedule.IsRough = !isAll;
        if (isAll)
        {
            // What was learned while this noise was taken for a limit is dropped.
            Limits before = isNew && !trouble.IsByClosure ? Learned.WithoutNoise(cut.Share, trouble.Before) : trouble.Before;
            EndWithNoise(trouble with { Before = before }, now);
        }
        else
        {
            EndWithLimit(rate, now);
        }
    }

    // Beside the noise there is a limit: just below what it accepted.
    private void EndWithLimit(double accepted, double now)
    {
        Learned.Set(trouble.Before with { Rate = Math.Min(Floor.Before(accepted) * Slightly, trouble.Before.Rate) }, now);
        Learned.Doubt(trouble, Learned.Current);
        Search.HoldLearned(now);
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
        // Of a part of the sends, what a cut has accepted shows nothing.
        double before = trouble.Before.Rate;
        double accepted = Floor.Before(SeesAll ? Math.Max(trouble.Rate, rate) : trouble.Rate);
        bool wasPaced = !double.IsPositiveInfinity(before) && accepted > 0;
        Learned.Set(trouble.Before with { Rate = wasPaced ? Math.Min(accepted * Slightly, before) : before }, now);
        if (!wasPaced || accepted > before)
        {
            Schedule.Renew();
        }

        Search.HoldLearned(now);
    }

    // When most was refused: before any cut, or after one of several.
    private Cut Worst(in Cut cut)
    {
        Cut worst = trouble.Worst.Sent > 0 ? trouble.Worst : new Cut(trouble.Share, trouble.Sent);
        return cut.Share > worst.Share ? cut : worst;
    }

    // The rate is what is accepted: what noise refuses comes on top.
    private double Of(double part) => Math.Max(Math.Min(Floor.Before(rate) * part, trouble.Before.Rate), LowestRate);
}

/// <summary>What a cut has shown.</summary>
/// <param name="Share">The share of refusals.</param>
/// <param name="Sent">The sends it was measured from.</param>
internal readonly record struct Cut(double Share, long Sent)
{
    // By chance, once in a hundred times.
    private const double Chance = 2.5;

    /// <summary>Compares the share with that of an earlier cut, but for what may be chance.</summary>
    /// <returns>-1 if it is lower, 0 if it is the same, 1 if it is higher.</returns>
    public int CompareTo(in Cut before)
    {
        double deviation = Math.Sqrt(Share * (1 - Share) * ((1.0 / Sent) + (1.0 / before.Sent)));
        return Math.Abs(Share - before.Share) <= Chance * deviation ? 0 : Share < before.Share ? -1 : 1;
    }
}
