namespace FastLLM.RateLimiting;

/// <summary>Raises the rate step by step until refusals come, and keeps what was accepted.</summary>
internal sealed class MorePerSecond(LawSearch search) : SearchPhase(search)
{
    /// <summary>What of a measured limit is used: just below it.</summary>
    public const double Below = 0.97;

    // Noise hides what is a little too much, and large steps also use up what may be sent at once.
    private const double BelowInNoise = 0.92;
    private const double BelowInNoiseIfRough = 0.85;

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

    // At few sends a second each refusal is a large share: a less exact rate must do.
    private const int FewestIfSlow = 6;
    private const double Fast = 32;

    private readonly Limits _before = search.Limits;
    private readonly bool _rough = search.Schedule.IsRough;
    private double _step;
    private double _passed;
    private double _stepAt;
    private long _stepIndex;
    private double _beganAt;
    private long _beganAccepted;

    public override Limits? Before => _before;

    public override void Begin(double now)
    {
        (_beganAt, _beganAccepted) = (now, Search.Accepted);
        _step = _rough ? RoughStep : FirstStep;
        Raise(now);
    }

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor) = (Search.Evidence, Search.Floor);
        ShareLevel level = evidence.Judge(Search.Sends, floor.Well, floor.Bad, floor.IsNoisy ? 6 : _before.Rate < Fast ? 2.5 : 4);
        if (level == ShareLevel.High)
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
            // So much is not even asked for: the rate limits nothing. If only the slots of a slow start are lacking, it may once there are
            // more.
            bool maySoon = Search.Cap.HasHeldBack && !Search.Cap.IsLearnt && Search.Cap.Value < Search.Cap.Ceiling;
            Search.Pacer.Set(maySoon ? Search.Pacer.Rate : double.PositiveInfinity, now);
            End(now, true, 0);
            return;
        }

        _step = _rough ? RoughStep : Math.Min(Acceleration * _step, LongestStep);
        Raise(now);
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        double average = Math.Max(_before.Rate, Math.Min(Average(now) * Below, Search.Pacer.Rate));
        Search.Pacer.Set(cycle.IsLasting ? Search.Floor.Before(cycle.Rate) * Below : average, now);
        End(now, Search.Pacer.Rate > _before.Rate * 1.25, Calm);
    }

    private void Raise(double now)
    {
        _passed = Search.Pacer.Rate;
        Search.Pacer.Set(_passed * (1 + _step), now);
        _stepAt = now;
        _stepIndex = Search.Sends.Count;
    }

    private void Refuse(double now)
    {
        Evidence evidence = Search.Evidence;
        if (_passed == _before.Rate)
        {
            // Hardly more was sent than before: so it may be what was sent before that is refused, and always was.
            var trouble = new Trouble(_before, evidence.Share(Search.Sends), false, evidence.LeastInFlight, evidence.Rate);
            Search.Schedule.IsRough = false;
            Search.Go(new FewerPerSecond(Search, trouble, Search.Floor.Past(_before.Rate)), now);
            return;
        }

        bool hasGrown = _passed > _before.Rate * 1.2;
        double below = !Search.Floor.IsNoisy ? Below : _rough ? BelowInNoiseIfRough : BelowInNoise;
        double measured = Math.Min(Search.Floor.Before(evidence.Rate) * below, Search.Pacer.Rate);
        int fewest = _before.Rate > Fast ? FewestForRate : FewestIfSlow;
        if (evidence.Accepted < fewest && hasGrown && _before.Rate > Fast)
        {
            return;
        }

        // If even less is accepted than was held before, that is not the limit. Either nothing may be used at once, so that a little too
        // much gets every other send refused: then the last step that passed counts. Or, after larger steps, a window is used up: then the
        // average counts.
        bool isOverdrawn = Search.Floor.Before(evidence.Rate) < _before.Rate * 0.8;
        double rate = !isOverdrawn ? (evidence.Accepted >= fewest ? measured : _before.Rate)
            : _passed < _before.Rate * 1.3 ? _passed * Below
            : Math.Min(Average(now) * Below, _passed);
        Search.Pacer.Set(Math.Max(rate, _before.Rate), now);
        End(now, rate > _before.Rate * 1.25, Calm);
    }

    private double Average(double now) => Search.Floor.Before((Search.Accepted - _beganAccepted) / Math.Max(now - _beganAt, 1e-3));

    private void End(double now, bool grown, double calm)
    {
        Search.Schedule.Tried(Search.Limits, grown, now, Search.Sends.Count);
        Search.Hold(now, grown && calm > 0 ? CalmIfGrown : calm);
    }
}
