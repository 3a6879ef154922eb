namespace FastLLM.RateLimiting;

/// <summary>Raises the rate step by step until refusals come, and keeps what was accepted.</summary>
internal sealed class MorePerSecond(LawSearch search) : SearchPhase(search)
{
    /// <summary>What of a measured limit is used: just below it.</summary>
    public const double Below = 0.97;

    // Noise hides what is a little too much, and large steps also use up what may be sent at once.
    private const double BelowInNoise = 0.9;
    private const double BelowInNoiseIfRough = 0.85;
    private const int LatestBlocks = 3;

    // What too much for a moment leaves behind: an empty bucket, a used up window.
    private const double Calm = 1;
    private const double CalmIfGrown = 5;

    // From 3 % to 25 % a second: a limit that doubled is reached in ten seconds, one that did not is overrun by little.
    private const double FirstStep = 1.0 / 32;
    private const double RoughStep = 0.5;
    private const double LongestStep = 0.25;
    private const double Acceleration = 1.5;
    private const double ShortestStep = 1;
    private const double ShortestRoughStep = 0.25;
    private const int FewestInStep = 8;
    private const int FewestForRate = 16;

    // At few sends a second each refusal is a large share: the first one ends the try.
    private const double Fast = 32;

    // More was accepted than what is held back of a limit explains.
    private const double Proof = 1.05;
    private const double Growth = 1.1;
    private const double Little = 1.2;

    // So much more was accepted that what held before was no limit.
    private const double Plainly = 1.5;

    private readonly Limits _before = search.Limits;
    private readonly bool _rough = search.Schedule.IsRough;
    private readonly Emptied _emptied = search.Emptied;
    private Emptied _began;
    private double _step;
    private double _passed;
    private double _stepAt;
    private long _stepIndex;

    public override Limits? Before => _before;

    // If others use the limit too, what was accepted here from empty to empty is only a part of it.
    private bool SharesLimit => !Search.SeesAll;

    public override void Begin(double now)
    {
        _began = new Emptied(now, Search.Accepted);
        _step = _rough ? RoughStep : FirstStep;
        Raise(now);
    }

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor) = (Search.Evidence, Search.Floor);
        ShareLevel level = evidence.Judge(Search.Sends, floor.Well, floor.Bad, floor.IsNoisy ? 6 : _before.Rate < Fast ? 2.5 : 4);
        bool isEmpty = !floor.IsNoisy && evidence.Refused > 0 && _before.Rate < Fast && _passed > _before.Rate * Growth;
        bool isReached = floor.IsNoisy && Search.Pattern.IsRegular;
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
            Search.StartEvidence();
        }

        double least = Math.Max(_rough ? ShortestRoughStep : ShortestStep, 4 * Search.Sends.RefusalDelay);
        if (now < _stepAt + least || Search.Sends.Settled < _stepIndex + Math.Clamp(_passed * 4, 2, FewestInStep))
        {
            return;
        }

        if (!Search.Pacer.HasHeldBack)
        {
            // So much is not even asked for: the rate limits nothing. If only slots are lacking, it may once there are more.
            bool maySoon = Search.Cap.HasHeldBack && Search.Cap.Value < Search.Cap.Ceiling;
            double enough = Search.Cap.IsLearnt && !SharesLimit ? _passed : Search.Pacer.Rate;
            Search.Pacer.Set(maySoon ? enough : double.PositiveInfinity, now);
            End(now, true, 0);
            return;
        }

        _step = _rough || (!SharesLimit && _passed > _before.Rate * Plainly) ? RoughStep : Math.Min(Acceleration * _step, LongestStep);
        Raise(now);
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        if (!cycle.IsLasting)
        {
            Keep(AcceptedRate(now), _before.Rate, now);
            return;
        }

        Search.Pacer.Set(Search.Floor.Before(cycle.Rate) * Below, now);
        End(now, Search.Pacer.Rate > _before.Rate * Growth, Calm);
    }

    private void Raise(double now)
    {
        _passed = Search.Pacer.Rate;
        Search.Pacer.Set(_passed * (1 + _step), now);
        _stepAt = now;
        _stepIndex = Search.Sends.Count;
    }

    // There may be more noise than was measured: then the floor is raised, and the try continues, as it does while that is open. A limit
    // refuses far more of what is half as fast again as before, and at any rate it refuses more evenly.
    private bool TakesForNoise(double now)
    {
        (Evidence evidence, NoiseFloor floor, RefusalPattern pattern) = (Search.Evidence, Search.Floor, Search.Pattern);
        if (!floor.IsNoisy || !Search.SeesAll || _passed <= Fast || evidence.IsByInFlight)
        {
            return false;
        }

        double share = evidence.Share(Search.Sends);
        if (_passed > _before.Rate * Plainly && share < floor.Bad)
        {
            floor.Show(share, evidence.Sent(Search.Sends), now, Search.Sends.Count);
        }
        else if (pattern.IsPlainlyRandom)
        {
            floor.Show(pattern.Share, pattern.Sent, now, Search.Sends.Count);
        }
        else
        {
            return !pattern.IsEnough;
        }

        Search.StartEvidence();
        return true;
    }

    private void Refuse(double now)
    {
        Evidence evidence = Search.Evidence;
        var trouble = new Trouble(_before, evidence.Share(Search.Sends), false, evidence.LastInFlight, evidence.Rate)
        {
            Sent = Math.Max(evidence.Sent(Search.Sends), 1),
        };
        if (Search.SeesAll && evidence.IsByInFlight)
        {
            // A higher rate takes more in flight, and that is what is refused: so it was no limit on the rate before, either.
            double known = Math.Max(AcceptedRate(now), Search.Floor.Past(_before.Rate));
            Limits unpaced = _before with { Rate = double.PositiveInfinity };
            Search.Go(new FewerInFlight(Search, trouble with { Before = unpaced, Rate = known }), now);
            return;
        }

        if (_passed == _before.Rate)
        {
            // Hardly more was sent than before: so it may be what was sent before that is refused, and always was.
            Search.Schedule.IsRough = false;
            Search.Go(new FewerPerSecond(Search, trouble, Search.Floor.Past(_before.Rate)), now);
            return;
        }

        // A little too much costs few refusals, and between them the limit can be measured. So it is where it has proved to be higher.
        // Otherwise what was accepted on the way was saved up before.
        double accepted = AcceptedRate(now);

        // What is accepted while more is sent is all there is, even if it was taken for more before. How much that is shows little by
        // little beside noise, and only nearly between two refusals.
        double least = Search.Floor.IsNoisy && now > _began.At + ShortestStep ? 0 : _before.Rate;
        bool isProved = accepted > _before.Rate * Proof || _passed < _before.Rate * Little;
        if (!Search.Floor.IsNoisy && (SharesLimit || (_before.Rate > Fast && isProved)))
        {
            if (evidence.Accepted < FewestForRate)
            {
                return;
            }

            accepted = Math.Max(accepted, Search.Floor.Before(evidence.Rate));
            least = Math.Clamp(evidence.Accepted / evidence.Span, least * Below, least);
        }

        // Where nothing may be sent at once, a little too much gets every other send refused, and what was not used is lost: then the last
        // step that passed counts. At few sends a second, chance lets the first steps pass.
        bool isStrict = _before.Rate > Fast && evidence.Refused > 1 && _passed < _before.Rate * Little
            && Search.Floor.Before(evidence.Rate) < _before.Rate * 0.8;
        Keep(isStrict ? _passed : accepted, least, now);
    }

    // From one moment at which nothing was left to the next, the limit was accepted, or less. On the way up there may have been a second's
    // worth on top, saved up before. Beside noise, a refusal shows nothing of the kind. But the last sends have used up what there was.
    private double AcceptedRate(double now)
    {
        double seconds = Math.Max(now - _began.At, 1);
        long accepted = Search.Accepted - _began.Accepted;
        return Search.Floor.Before(Search.Floor.IsNoisy
            ? Math.Min(accepted / seconds, Search.Pattern.LatestRate(LatestBlocks))
            : Math.Max((accepted - Search.Floor.Past(_before.Rate)) / seconds, Search.Emptied.RateSince(_emptied)));
    }

    private void Keep(double limit, double least, double now)
    {
        double below = !Search.Floor.IsNoisy ? Below : _rough ? BelowInNoiseIfRough : BelowInNoise;
        Search.Pacer.Set(Math.Max(Math.Min(limit * below, Search.Pacer.Rate), least), now);
        End(now, Search.Pacer.Rate > _before.Rate * Growth, Calm);
    }

    private void End(double now, bool grown, double calm)
    {
        Search.Schedule.Tried(Search.Limits, grown, now, Search.Sends.Count);
        Search.Hold(now, grown && calm > 0 ? CalmIfGrown : calm);
    }
}
