namespace FastLLM.RateLimiting;

/// <summary>Holds what is known, and suspects a limit where clearly more is refused than noise does.</summary>
/// <param name="search">The search.</param>
/// <param name="calmFrom">Until when refusals are only what a try for more has left behind.</param>
internal sealed class Holding(LawSearch search, double calmFrom = 0) : SearchPhase(search)
{
    // 400 to 1, as this test never ends.
    private const double Certainty = 6;

    // What is accepted between refusals tells a rate from so many on; if few are sent, from the first seconds on.
    private const int FewestForRate = 16;
    private const int FewestIfSlow = 3;
    private const double Slow = 4;

    // A known limit on what is in flight does not fall to less than that at once: then the rate is limited too.
    private const double LeastPart = 0.25;

    // So many sends tell whether there is still as much noise, if it is at least so much.
    private const int FewestForCheck = 64;
    private const double LeastForCheck = 0.05;
    private const double LeastForCheckIfPaced = 0.25;
    private const double MostAccepted = 0.75;
    private const double MostlyNoise = 0.7;

    // A try for more goes hardly further than that before it is refused.
    private const double JustAbove = 1.25;

    // What is accepted swings about as long as a window that slides.
    private const double ShortestSwing = 5;
    private const double LongestSwing = 60;

    private bool IsFullOfRefused => Search.Evidence.InFlight > Search.Cap.Value * MostAccepted
        && Search.AcceptedInFlight < Search.Cap.Value * MostAccepted;

    // What is taken for noise may be a limit on what is in flight: where that holds sends back; where most of what is in flight will be
    // refused; and where a rate holds sends back, if there is much noise.
    private bool IsMaybeInFlight => Search.SeesAll && Search.Floor.Share > LeastForCheck
        && (Search.Pacer.IsOn && Search.Pacer.HasHeldBack ? Search.Floor.Share > LeastForCheckIfPaced
            : Search.Cap.IsLearnt ? Search.Cap.HasHeldBack : IsFullOfRefused)
        && Search.Evidence.Sent(Search.Sends) > FewestForCheck
        && Search.Evidence.Share(Search.Sends) > Search.Floor.Share * MostlyNoise;

    public override void Begin(double now) => Search.Cap.HasHeldBack = Search.Pacer.HasHeldBack = false;

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor, SendCounter sends) = (Search.Evidence, Search.Floor, Search.Sends);
        floor.Follow(evidence.Sent(sends), evidence.RefusedOf(sends));
        ShareLevel level = evidence.Judge(sends, floor.Well, floor.Bad, Certainty);
        RefusalPattern pattern = Search.Pattern;
        bool isRegular = Search.Pacer.IsOn
            ? pattern.IsRegular && (floor.IsNoisy || pattern.Share > floor.Bad) : floor.IsNoisy && pattern.IsCertainlyRegular;
        if (isRegular)
        {
            EndRegular(now);
            return;
        }

        if (floor.IsNoisy && pattern.IsClustered && now >= calmFrom)
        {
            floor.Forget();
        }

        if (level == ShareLevel.High && now >= calmFrom)
        {
            if (pattern.IsRandom)
            {
                EndRandom(pattern.Share, pattern.Sent, now);
            }
            else if (JudgesGaps && evidence.IsRandom)
            {
                EndRandom(evidence.ShareInGaps, evidence.SentInGaps, now);
            }
            else if (TellsRate(evidence))
            {
                Suspect(now);
            }

            return;
        }

        if (level == ShareLevel.Low)
        {
            Search.Trust(Search.Limits);
        }

        if (level != ShareLevel.Open)
        {
            Search.StartEvidence();
        }

        if (IsMaybeInFlight && floor.TryCheck(now, sends.Count))
        {
            Search.Go(new FewerBesideNoise(Search), now);
            return;
        }

        if (floor.IsOld(now, sends.Count))
        {
            floor.Forget();
        }

        if (Search.Schedule.IsDue(now, sends.Count))
        {
            // No certain suspicion, but no time to try for more either.
            if (Search.Pacer.IsOn && evidence.Share(sends) * 2 > floor.Well + floor.Bad && TellsRate(evidence))
            {
                Suspect(now);
            }
            else
            {
                TryMore(now);
            }
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        Limits limits = Search.Limits;
        double share = Search.Evidence.Share(Search.Sends);
        if (Search.Closure.ClosedAt < calmFrom)
        {
            if (cycle.IsLasting && Search.Pacer.IsOn)
            {
                Search.Pacer.Set(Search.Floor.Before(cycle.Rate) * MorePerSecond.Below, now);
            }

            Search.Hold(now);
        }
        else if (cycle.IsLong && limits.IsInFlightLearnt && !Search.Pacer.IsOn && !Search.Outages.Repeats(Search.Sends.Count))
        {
            // What is known has held until the provider was down. If it is no outage but a window, it will close again.
            Search.Hold(now);
        }
        else if (cycle.IsAboutInFlight && !(Search.SeesAll && limits.IsInFlightLearnt && cycle.InFlight < limits.InFlight * LeastPart))
        {
            Search.Go(new FewerInFlight(Search, new Trouble(limits, share, true, cycle.InFlight, cycle.Rate)), now);
        }
        else if (Search.SeesAll && limits.IsInFlightLearnt && !Search.Pacer.IsOn && cycle.IsByInFlight)
        {
            // A known limit on what is in flight that has become lower looks like that too.
            int inFlight = Math.Max(cycle.InFlight / 2, cycle.AtReopening + 1);
            Search.Go(new FewerInFlight(Search, new Trouble(limits, share, true, inFlight, cycle.Rate)), now);
        }
        else
        {
            Search.Schedule.IsRough = cycle.IsRough;
            var trouble = new Trouble(limits, share, true, cycle.InFlight, cycle.Rate) { IsInFlightRefuted = true };
            Search.Go(new FewerPerSecond(Search, trouble, cycle.Rate), now);
        }
    }

    // All the time, the provider accepted as much as it does: the rest is more than noise. If that repeats, there is less noise than it
    // seems. Calm or not, that is certain.
    private void EndRegular(double now)
    {
        if (Search.Floor.IsNoisy && Search.Regular.Repeats(Search.Sends.Count))
        {
            Search.Floor.Forget();
        }

        double rate = Math.Max(Search.Floor.Before(Search.Pattern.Rate), RateSinceLowered());
        Search.Lowered = Search.Emptied;
        Search.Pacer.Set(Math.Min(rate * MorePerSecond.Below, Search.Pacer.Rate), now);
        Search.Learned(now);
    }

    // A window that slides accepts what was sent some seconds ago, now more, now less: on average, it accepts what it has since nothing was
    // left before. If that is too much, the limit is a new one, and what follows shows it.
    private double RateSinceLowered()
    {
        double seconds = Search.Emptied.At - Search.Lowered.At;
        return !Search.Floor.IsNoisy && seconds is > ShortestSwing and < LongestSwing ? Search.Emptied.RateSince(Search.Lowered) : 0;
    }

    // Few sends a second are not cut before it is known whether refusals are random: a cut would take a minute to show it.
    private bool TellsRate(Evidence evidence) => !(JudgesGaps && evidence.MayBeRandom)
        && ((evidence.Accepted >= FewestForRate && evidence.Span > 2 * Search.Sends.RefusalDelay)
            || (evidence.Accepted >= FewestIfSlow && evidence.Span > Slow));

    // What was learned while noise was taken for a limit is dropped.
    private void EndRandom(double share, long sent, double now)
    {
        if (IsJustAbove(Search.Limits, Search.Trusted))
        {
            // Just below, no more than noise was refused: so this is more than noise.
            Search.Set(Search.Trusted, now);
            Search.Learned(now);
            return;
        }

        bool isNew = Search.Floor.Share < share / 2;
        Search.Floor.Show(share, sent, now, Search.Sends.Count);
        if (isNew && Search.Pacer.IsOn)
        {
            Search.Set(Search.WithoutNoise(share, Search.Limits), now);
            Search.Learned(now);
        }
        else
        {
            Search.StartEvidence();
        }
    }

    private static bool IsJustAbove(in Limits limits, in Limits trusted) =>
        limits.IsInFlightLearnt && trusted.IsInFlightLearnt && double.IsPositiveInfinity(limits.Rate)
            && limits.InFlight > trusted.InFlight && limits.InFlight <= (trusted.InFlight * JustAbove) + 1;

    private void Suspect(double now)
    {
        if (Search.TrySlowWindow(now))
        {
            return;
        }

        Evidence evidence = Search.Evidence;
        Limits limits = Search.Limits;
        bool isPaced = Search.Pacer.IsOn;
        var trouble = new Trouble(limits, evidence.Share(Search.Sends), false, evidence.LastInFlight, evidence.Rate)
        {
            Sent = Math.Max(evidence.Sent(Search.Sends), 1),
        };
        // Where a limit in flight is seen to refuse, it was no limit on the rate that was known. Where the rate is not limited, and as many
        // as before stay in flight, that costs less to try than a rate.
        bool isSeen = Search.SeesAll && evidence.IsByInFlight;
        bool isLikely = Search.SeesAll && !isPaced && (limits.IsInFlightLearnt || evidence.StaysInFlight);
        if (isSeen || isLikely || evidence.IsAboutInFlight)
        {
            Limits before = isSeen ? limits with { Rate = double.PositiveInfinity } : limits;
            Search.Go(new FewerInFlight(Search, trouble with { Before = before }), now);
            return;
        }

        // A known rate may be only a little too high. Where nothing may be used at once, far less than the limit passes then; and noise is
        // above its mean when it raises a suspicion. So it is lowered a little first.
        double known = Search.Floor.Past(limits.Rate);
        Search.Schedule.IsRough |= Search.SeesAll && Search.IsAtStart(now);
        bool isVague = isPaced && (Search.Floor.IsNoisy || evidence.Rate < known * 0.75);
        Search.Go(new FewerPerSecond(Search, trouble, isVague ? known : evidence.Rate), now);
    }

    // A window that is used up too soon is closed for a long time, and a rough rate is no limit to compare with.
    private bool IsBesideNoise => Search.Floor.IsNoisy && Search.SeesAll && !Search.IsWindow && !Search.Schedule.IsRough
        && Search.Pacer.Rate > MoreBesideNoise.LowestRate;

    private void TryMore(double now)
    {
        if (Search.Pacer.IsOn && Search.Pacer.HasHeldBack)
        {
            Search.Go(IsBesideNoise ? new MoreBesideNoise(Search) : new MorePerSecond(Search), now);
        }
        else if (Search.Cap.Value < Search.Cap.Ceiling && Search.Cap.HasHeldBack)
        {
            Search.Go(new MoreInFlight(Search), now);
        }
    }
}
