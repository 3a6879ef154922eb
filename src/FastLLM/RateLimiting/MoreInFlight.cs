namespace FastLLM.RateLimiting;

/// <summary>Raises the number in flight step by step until the sends above the last step are refused, and keeps what was accepted.</summary>
internal sealed class MoreInFlight(LawSearch search) : SearchPhase(search)
{
    private const double FirstStep = 1.0 / 32;
    private const double Acceleration = 1.5;
    private const double LargestStep = 0.5;
    private const double ShortestStep = 0.25;
    private const double LongestStep = 5;
    private const double Certainty = 3.5;

    private readonly Limits _before = search.Limits;
    private readonly bool _learnt = search.Cap.IsLearnt;
    private double _step;
    private int _passed;
    private double _stepAt;
    private int _above;
    private int _refusedAbove;
    private double _beganAt;
    private long _beganAccepted;

    // More is accepted than was taken for the limit.
    private bool HasGrown => _learnt && _passed > _before.InFlight * 3 / 2;

    public override void Begin(double now)
    {
        (_beganAt, _beganAccepted) = (now, Search.Accepted);
        _step = _learnt ? FirstStep : 1;
        Raise(now);
    }

    public override void Sent(in SendMark mark) => _above += mark.InFlight >= _passed ? 1 : 0;

    public override void Refused(in SendMark mark) => _refusedAbove += mark.InFlight >= _passed ? 1 : 0;

    public override void Advance(double now)
    {
        NoiseFloor floor = Search.Floor;
        Verdict verdict = ShareTest.Judge(_above, _refusedAbove, floor.Well, Math.Max(0.5, floor.Share + 0.35), Certainty);
        if (verdict == Verdict.High || (verdict == Verdict.Open && _above >= 64))
        {
            Refuse(now);
            return;
        }

        if (Search.Evidence.Judge(Search.Sends, floor.Well, floor.Bad, 6) == Verdict.High)
        {
            // Not only what is above is refused: that is no matter of what is in flight.
            Search.Cap.Set(_passed, _learnt);
            End(now, 0);
            return;
        }

        if (!Search.Cap.HasHeldBack && now > _stepAt + LongestStep)
        {
            // So much at once is not even asked for: it limits nothing.
            Search.Cap.Set(Search.Cap.Ceiling, false);
            _passed = Search.Cap.Ceiling;
            End(now, 0);
            return;
        }

        if (verdict != Verdict.Low || now < _stepAt + Math.Max(ShortestStep, 4 * Search.Sends.RefusalDelay))
        {
            return;
        }

        if (Search.Cap.Value >= Search.Cap.Ceiling)
        {
            _passed = Search.Cap.Value;
            End(now, 0);
            return;
        }

        _step = _learnt ? Math.Min(Acceleration * _step, LargestStep) : 1;
        Raise(now);
    }

    public override void Reopened(double now, in Cycle cycle) => Refuse(now);

    private void Refuse(double now)
    {
        Search.Cap.Set(_passed, true);
        if (HasGrown)
        {
            // What was taken for the limit was not. So it may be the rate that is limited, and what is in flight only went with it.
            double rate = (Search.Accepted - _beganAccepted) / Math.Max(now - _beganAt, 1e-3);
            Search.Cap.Set(Search.Cap.Ceiling, false);
            Search.Pacer.Set(Math.Min(Search.Pacer.Rate, rate / (1 - Search.Floor.Share)), now);
            Search.Schedule.IsRough = true;
            Search.Schedule.Learnt(Search.Limits, now, Search.Sends.Count);
            Search.Go(new Holding(Search, now + 1), now);
            return;
        }

        End(now, 1);
    }

    private void Raise(double now)
    {
        _passed = Search.Cap.Value;
        Search.Cap.Set(_passed + Math.Max(1, (int)(_passed * _step)), _learnt);
        _above = _refusedAbove = 0;
        _stepAt = now;
    }

    private void End(double now, double calmAfter)
    {
        Search.Schedule.Tried(Search.Limits, HasGrown, now, Search.Sends.Count);
        Search.Go(new Holding(Search, now + calmAfter), now);
    }
}
