namespace FastLLM.RateLimiting;

/// <summary>Raises the rate step by step until refusals come, and keeps what was accepted.</summary>
internal sealed class MorePerSecond(LawSearch search) : SearchPhase(search)
{
    /// <summary>What of a measured limit is used: just below it.</summary>
    public const double Below = 0.97;

    // Noise hides what is a little too much.
    private const double BelowInNoise = 0.92;
    private const double BelowInNoiseIfRough = 0.85;
    // What is left behind by too much for a moment: an empty bucket, a used up window.
    private const double Calm = 1;
    private const double CalmIfGrown = 5;
    private const double FirstStep = 1.0 / 32;
    private const double RoughStep = 0.5;
    private const double LongestStep = 0.25;
    private const double Acceleration = 1.5;
    private const double ShortestStep = 1;
    private const double ShortestRoughStep = 0.25;
    private const int FewestInStep = 8;
    private const int FewestForRate = 16;

    private readonly Limits _before = search.Limits;
    private readonly bool _rough = search.Schedule.IsRough;
    private double _step;
    private double _passed;
    private double _stepAt;
    private long _stepIndex;
    private double _beganAt;
    private long _beganAccepted;

    public override void Begin(double now)
    {
        (_beganAt, _beganAccepted) = (now, Search.Accepted);
        _step = _rough ? RoughStep : FirstStep;
        Raise(now);
    }

    public override void Advance(double now)
    {
        (Evidence evidence, NoiseFloor floor) = (Search.Evidence, Search.Floor);
        Verdict verdict = evidence.Judge(Search.Sends, floor.Well, floor.Bad, floor.IsNoisy ? 6 : _before.Rate < 5 ? 2.5 : 4);
        if (verdict == Verdict.High)
        {
            Refuse(now);
            return;
        }

        if (verdict == Verdict.Low)
        {
            Search.StartEvidence();
        }

        double least = Math.Max(_rough ? ShortestRoughStep : ShortestStep, 4 * Search.Sends.RefusalDelay);
        if (now < _stepAt + least || Search.Sends.Settled < _stepIndex + FewestInStep)
        {
            return;
        }

        if (!Search.Pacer.HasHeldBack)
        {
            // So much is not even asked for: the rate limits nothing.
            Search.Pacer.Set(double.PositiveInfinity, now);
            End(now, true, 0);
            return;
        }

        _step = _rough ? RoughStep : Math.Min(Acceleration * _step, LongestStep);
        Raise(now);
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        Search.Pacer.Set(cycle.IsLasting ? cycle.Rate * Below : Math.Max(_before.Rate, Math.Min(Average(now) * Below, Search.Pacer.Rate)), now);
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
        bool hasGrown = _passed > _before.Rate * 1.2;
        double measured = Math.Min(evidence.Rate * (!Search.Floor.IsNoisy ? Below : _rough ? BelowInNoiseIfRough : BelowInNoise) / (1 - Search.Floor.Share), Search.Pacer.Rate);
        if (evidence.Accepted < FewestForRate && hasGrown && _before.Rate > 8)
        {
            return;
        }

        // Where nothing may be used at once, a rate that is only a little too high gets every other send refused: then the last step that passed counts.
        bool isSteep = evidence.Rate < _passed * 0.75 * (1 - Search.Floor.Share);
        double rate = evidence.Accepted >= FewestForRate && measured > _before.Rate ? measured
            : !isSteep ? _before.Rate
            : _passed < _before.Rate * 1.3 ? _passed * Below
            : Math.Min(Average(now) * Below, _passed);
        Search.Pacer.Set(Math.Max(rate, _before.Rate), now);
        End(now, rate > _before.Rate * 1.25, Calm);
    }

    private double Average(double now) => (Search.Accepted - _beganAccepted) / Math.Max(now - _beganAt, 1e-3);

    private void End(double now, bool grown, double calmAfter)
    {
        Search.Schedule.Tried(Search.Limits, grown, now, Search.Sends.Count);
        Search.Go(new Holding(Search, now + (grown && calmAfter > 0 ? CalmIfGrown : calmAfter)), now);
    }
}
