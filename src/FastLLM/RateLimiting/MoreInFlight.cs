namespace FastLLM.RateLimiting;

/// <summary>Raises the number in flight step by step until the sends above the last step are refused, and keeps what was accepted.</summary>
internal sealed class MoreInFlight(LawSearch search) : SearchPhase(search)
{
    private const double FirstStep = 1.0 / 32;
    private const double Acceleration = 1.5;
    private const double LargestStep = 0.5;
    private const double ShortestStep = 0.25;
    private const double Certainty = 4;

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
    private bool HasGrown => _learnt && _passed > _before.InFlight * 5 / 4;

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
        Verdict verdict = ShareTest.Judge(_above, _refusedAbove, floor.Share + 0.01, 0.9, Certainty);
        if (verdict == Verdict.High || (verdict == Verdict.Open && _above >= 12))
        {
            Search.Cap.Set(_passed, true);
            End(now, 1);
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

    public override void Reopened(double now, in Cycle cycle)
    {
        double rate = (Search.Accepted - _beganAccepted) / Math.Max(now - _beganAt, 1e-3);
        if (HasGrown)
        {
            // It was not what is in flight that was refused at first, and now again something else is.
            var trouble = new Trouble(_before with { InFlight = Search.Cap.Ceiling, IsInFlightLearnt = false }, 0.6, true, 0, rate) { IsInFlightRefuted = true };
            Search.Schedule.IsRough = true;
            Search.Go(new FewerPerSecond(Search, trouble, rate), now);
            return;
        }

        Search.Cap.Set(_passed, true);
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
