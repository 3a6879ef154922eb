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

    private bool IsFullOfRefused => Evidence.InFlight > Cap.Value * MostAccepted
        && Seen.AcceptedInFlight < Cap.Value * MostAccepted;

    // What is taken for noise may be a limit on what is in flight: where that holds sends back; where most of what is in flight will be
    // refused; and where a rate holds sends back, if there is much noise.
    private bool IsMaybeInFlight => SeesAll && Floor.Share > LeastForCheck
        && (Pacer.IsOn && Pacer.HasHeldBack ? Floor.Share > LeastForCheckIfPaced
            : Cap.IsLearnt ? Cap.HasHeldBack : IsFullOfRefused)
        && Evidence.Sent(Sends) > FewestForCheck
        && Evidence.Share(Sends) > Floor.Share * MostlyNoise;

    public override void Begin(double now) => Cap.HasHeldBack = Pacer.HasHeldBack = false;

    public override void Advance(double now)
    {
        Floor.Follow(Evidence.Sent(Sends), Evidence.RefusedOf(Sends));
        ShareLevel level = Evidence.Judge(Sends, Floor.Well, Floor.Bad, Certainty);
        bool isRegular = Pacer.IsOn
            ? Pattern.IsRegular && (Floor.IsNoisy || Pattern.Share > Floor.Bad) : Floor.IsNoisy && Pattern.IsCertainlyRegular;
        if (isRegular)
        {
            EndRegular(now);
            return;
        }

        if (Floor.IsNoisy && Pattern.IsClustered && now >= calmFrom)
        {
            Floor.Forget();
        }

        if (level == ShareLevel.High && now >= calmFrom)
        {
            if (Pattern.IsRandom)
            {
                EndRandom(Pattern.Share, Pattern.Sent, now);
            }
            else if (JudgesGaps && Evidence.IsRandom)
            {
                EndRandom(Evidence.ShareInGaps, Evidence.SentInGaps, now);
            }
            else if (TellsRate)
            {
                Suspect(now);
            }

            return;
        }

        if (level == ShareLevel.Low)
        {
            Learned.Trust(Learned.Current);
        }

        if (level != ShareLevel.Open)
        {
            Seen.Renew();
        }

        if (IsMaybeInFlight && Floor.TryCheck(now, Sends.Count))
        {
            Search.Go(new FewerBesideNoise(Search), now);
            return;
        }

        if (Floor.IsOld(now, Sends.Count))
        {
            Floor.Forget();
        }

        if (Schedule.IsDue(now, Sends.Count))
        {
            // No certain suspicion, but no time to try for more either.
            if (Pacer.IsOn && Evidence.Share(Sends) * 2 > Floor.Well + Floor.Bad && TellsRate)
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
        Limits limits = Learned.Current;
        double share = Evidence.Share(Sends);
        if (Search.Closure.ClosedAt < calmFrom)
        {
            if (cycle.IsLasting && Pacer.IsOn)
            {
                Pacer.Set(Floor.Before(cycle.Rate) * MorePerSecond.Below, now);
            }

            Search.Hold(now);
        }
        else if (cycle.IsLong && limits.IsInFlightLearnt && !Pacer.IsOn && !Search.Doubts.Repeat(Doubt.Outage, Sends.Count))
        {
            // What is known has held until the provider was down. If it is no outage but a window, it will close again.
            Search.Hold(now);
        }
        else if (cycle.IsAboutInFlight && !(SeesAll && limits.IsInFlightLearnt && cycle.InFlight < limits.InFlight * LeastPart))
        {
            Search.Go(new FewerInFlight(Search, new Trouble(limits, share, true, cycle.InFlight, cycle.Rate)), now);
        }
        else if (SeesAll && limits.IsInFlightLearnt && !Pacer.IsOn && cycle.IsByInFlight)
        {
            // A known limit on what is in flight that has become lower looks like that too.
            int inFlight = Math.Max(cycle.InFlight / 2, cycle.AtReopening + 1);
            Search.Go(new FewerInFlight(Search, new Trouble(limits, share, true, inFlight, cycle.Rate)), now);
        }
        else
        {
            Schedule.IsRough = cycle.IsRough;
            var trouble = new Trouble(limits, share, true, cycle.InFlight, cycle.Rate) { IsInFlightRefuted = true };
            Search.Go(new FewerPerSecond(Search, trouble, cycle.Rate), now);
        }
    }

    // All the time, the provider accepted as much as it does: the rest is more than noise. If that repeats, there is less noise than it
    // seems. Calm or not, that is certain.
    private void EndRegular(double now)
    {
        if (Floor.IsNoisy && Search.Doubts.Repeat(Doubt.Regular, Sends.Count))
        {
            Floor.Forget();
        }

        double rate = Math.Max(Floor.Before(Pattern.Rate), RateSinceLowered());
        Learned.Lowered = Seen.Emptied;
        Pacer.Set(Math.Min(rate * MorePerSecond.Below, Pacer.Rate), now);
        Search.HoldLearned(now);
    }

    // A window that slides accepts what was sent some seconds ago, now more, now less: on average, it accepts what it has since nothing was
    // left before. If that is too much, the limit is a new one, and what follows shows it.
    private double RateSinceLowered()
    {
        double seconds = Seen.Emptied.At - Learned.Lowered.At;
        return !Floor.IsNoisy && seconds is > ShortestSwing and < LongestSwing ? Seen.Emptied.RateSince(Learned.Lowered) : 0;
    }

    // Few sends a second are not cut before it is known whether refusals are random: a cut would take a minute to show it.
    private bool TellsRate => !(JudgesGaps && Evidence.MayBeRandom)
        && ((Evidence.Accepted >= FewestForRate && Evidence.Span > 2 * Sends.RefusalDelay)
            || (Evidence.Accepted >= FewestIfSlow && Evidence.Span > Slow));

    // What was learned while noise was taken for a limit is dropped.
    private void EndRandom(double share, long sent, double now)
    {
        if (IsJustAbove(Learned.Current, Learned.Trusted))
        {
            // Just below, no more than noise was refused: so this is more than noise.
            Learned.Set(Learned.Trusted, now);
            Search.HoldLearned(now);
            return;
        }

        bool isNew = Floor.Share < share / 2;
        Floor.Show(share, sent, now, Sends.Count);
        if (isNew && Pacer.IsOn)
        {
            Learned.Set(Learned.WithoutNoise(share, Learned.Current), now);
            Search.HoldLearned(now);
        }
        else
        {
            Seen.Renew();
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

        Limits limits = Learned.Current;
        bool isPaced = Pacer.IsOn;
        var trouble = new Trouble(limits, Evidence.Share(Sends), false, Evidence.LastInFlight, Evidence.Rate)
        {
            Sent = Math.Max(Evidence.Sent(Sends), 1),
        };
        // Where a limit in flight is seen to refuse, it was no limit on the rate that was known. Where the rate is not limited, and as many
        // as before stay in flight, that costs less to try than a rate.
        bool isSeen = SeesAll && Evidence.IsByInFlight;
        bool isLikely = SeesAll && !isPaced && (limits.IsInFlightLearnt || Evidence.StaysInFlight);
        if (isSeen || isLikely || Evidence.IsAboutInFlight)
        {
            Limits before = isSeen ? limits with { Rate = double.PositiveInfinity } : limits;
            Search.Go(new FewerInFlight(Search, trouble with { Before = before }), now);
            return;
        }

        // A known rate may be only a little too high. Where nothing may be used at once, far less than the limit passes then; and noise is
        // above its mean when it raises a suspicion. So it is lowered a little first.
        double known = Floor.Past(limits.Rate);
        Schedule.IsRough |= SeesAll && Seen.IsAtStart(now);
        bool isVague = isPaced && (Floor.IsNoisy || Evidence.Rate < known * 0.75);
        Search.Go(new FewerPerSecond(Search, trouble, isVague ? known : Evidence.Rate), now);
    }

    // A window that is used up too soon is closed for a long time, and a rough rate is no limit to compare with.
    private bool IsBesideNoise => Floor.IsNoisy && SeesAll && !Search.IsWindow && !Schedule.IsRough
        && Pacer.Rate > MoreBesideNoise.LowestRate;

    private void TryMore(double now)
    {
        if (Pacer.IsOn && Pacer.HasHeldBack)
        {
            Search.Go(IsBesideNoise ? new MoreBesideNoise(Search) : new MorePerSecond(Search), now);
        }
        else if (Cap.Value < Cap.Ceiling && Cap.HasHeldBack)
        {
            Search.Go(new MoreInFlight(Search), now);
        }
    }
}
