namespace FastLLM.RateLimiting;

/// <summary>Raises the rate step by step until refusals come, and keeps what was accepted.</summary>
internal sealed class MorePerSecond(LawSearch search) : RaisingRate(search)
{
    /// <summary>What of a measured limit is used: just below it.</summary>
    public const double Below = 0.97;

    // Noise hides what is a little too much, and large steps also use up what may be sent at once.
    private const double BelowInNoise = 0.9;
    private const double BelowInNoiseIfRough = 0.85;
    private const int LatestBlocks = 3;

    // From 3 % to 25 % a second: a limit that doubled is reached in ten seconds, one that did not is overrun by little.
    private const double FirstStep = 1.0 / 32;
    private const double RoughStep = 0.5;
    private const double LongestStep = 0.25;
    private const double Acceleration = 1.5;
    private const double ShortestStep = 1;
    private const double ShortestRoughStep = 0.25;
    private const int FewestForRate = 16;

    // At few sends a second each refusal is a large share: the first one ends the try.
    private const double Fast = 32;

    // More was accepted than what is held back of a limit explains.
    private const double Proof = 1.05;
    private const double Little = 1.2;

    // So much more was accepted that what held before was no limit.
    private const double Plainly = 1.5;

    private readonly bool _rough = search.Schedule.IsRough;
    private readonly Emptied _emptied = search.Seen.Emptied;
    private double _step;

    // If others use the limit too, what was accepted here from empty to empty is only a part of it.
    private bool SharesLimit => !SeesAll;

    public override void Begin(double now)
    {
        _step = _rough ? RoughStep : FirstStep;
        Raise(_step, now);
    }

    public override void Advance(double now)
    {
        ShareLevel level = Evidence.Judge(Sends, Floor.Well, Floor.Bad, Floor.IsNoisy ? 6 : Held.Rate < Fast ? 2.5 : 4);
        bool isEmpty = !Floor.IsNoisy && Evidence.Refused > 0 && Held.Rate < Fast && Passed > Held.Rate * Growth;
        bool isReached = Floor.IsNoisy && Pattern.IsRegular;
        if (level == ShareLevel.High && !isReached && TakesForNoise(now))
        {
            return;
        }

        if (level == ShareLevel.High || isEmpty || isReached)
        {
            Refuse(now);
            return;
        }

        if (level == ShareLevel.Low)
        {
            Seen.Renew();
        }

        if (HasPassed(_rough ? ShortestRoughStep : ShortestStep, now) && !TryEndUnlimited(now))
        {
            _step = _rough || (!SharesLimit && Passed > Held.Rate * Plainly) ? RoughStep : Math.Min(Acceleration * _step, LongestStep);
            Raise(_step, now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        if (cycle.IsLasting)
        {
            Keep(Floor.Before(cycle.Rate) * Below, now);
        }
        else if (!TrySuspectInFlight(cycle, now))
        {
            KeepBelow(AcceptedRate(now), Held.Rate, now);
        }
    }

    // There may be more noise than was measured: then the floor is raised, and the try continues, as it does while that is open. A limit
    // refuses far more of what is half as fast again as before, and at any rate it refuses more evenly.
    private bool TakesForNoise(double now)
    {
        if (!Floor.IsNoisy || !SeesAll || Passed <= Fast || Evidence.IsByInFlight)
        {
            return false;
        }

        double share = Evidence.Share(Sends);
        if (Passed > Held.Rate * Plainly && share < Floor.Bad)
        {
            Floor.Show(share, Evidence.Sent(Sends), now, Sends.Count);
        }
        else if (Pattern.IsPlainlyRandom)
        {
            Floor.Show(Pattern.Share, Pattern.Sent, now, Sends.Count);
        }
        else
        {
            return !Pattern.IsEnough;
        }

        Seen.Renew();
        return true;
    }

    private void Refuse(double now)
    {
        double accepted = AcceptedRate(now);
        if (TrySuspectInFlight(accepted, now))
        {
            return;
        }

        if (IsFirstStep)
        {
            // Hardly more was sent than before: so it may be what was sent before that is refused, and always was.
            Schedule.IsRough = false;
            Search.Go(new FewerPerSecond(Search, Suspicion(), Floor.Past(Held.Rate)), now);
            return;
        }

        // A little too much costs few refusals, and between them the limit can be measured. So it is where it has proved to be higher.
        // Otherwise what was accepted on the way was saved up before.
        //
        // What is accepted while more is sent is all there is, even if it was taken for more before. How much that is shows little by
        // little beside noise, and only nearly between two refusals.
        double least = Floor.IsNoisy && now > Began.At + ShortestStep ? 0 : Held.Rate;
        bool isProved = accepted > Held.Rate * Proof || Passed < Held.Rate * Little;
        if (!Floor.IsNoisy && (SharesLimit || (Held.Rate > Fast && isProved)))
        {
            if (Evidence.Accepted < FewestForRate)
            {
                return;
            }

            accepted = Math.Max(accepted, Floor.Before(Evidence.Rate));
            least = Math.Clamp(Evidence.Accepted / Evidence.Span, least * Below, least);
        }

        // Where nothing may be sent at once, a little too much gets every other send refused, and what was not used is lost: then the last
        // step that passed counts. At few sends a second, chance lets the first steps pass.
        bool isStrict = Held.Rate > Fast && Evidence.Refused > 1 && Passed < Held.Rate * Little
            && Floor.Before(Evidence.Rate) < Held.Rate * 0.8;
        KeepBelow(isStrict ? Passed : accepted, least, now);
    }

    // From one moment at which nothing was left to the next, the limit was accepted, or less. On the way up there may have been a second's
    // worth on top, saved up before. Beside noise, a refusal shows nothing of the kind. But the last sends have used up what there was.
    private double AcceptedRate(double now)
    {
        double seconds = Math.Max(now - Began.At, 1);
        long accepted = Seen.Accepted - Began.Accepted;
        return Floor.Before(Floor.IsNoisy
            ? Math.Min(accepted / seconds, Pattern.LatestRate(LatestBlocks))
            : Math.Max((accepted - Floor.Past(Held.Rate)) / seconds, Seen.Emptied.RateSince(_emptied)));
    }

    private void KeepBelow(double limit, double least, double now)
    {
        double below = !Floor.IsNoisy ? Below : _rough ? BelowInNoiseIfRough : BelowInNoise;
        Keep(Math.Max(Math.Min(limit * below, Pacer.Rate), least), now);
    }
}
