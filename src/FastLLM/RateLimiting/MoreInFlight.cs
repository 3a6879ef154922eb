namespace FastLLM.RateLimiting;

/// <summary>
/// Raises the number in flight step by step until the sends above the last step are refused, and keeps what was accepted.
/// </summary>
internal sealed class MoreInFlight(LawSearch search) : SearchPhase(search)
{
    // From 3 % to 10 % a step: much more at once would be refused by a rate limit that allows no bursts.
    private const double FirstStep = 1.0 / 32;
    private const double Acceleration = 1.5;
    private const double LargestStep = 0.1;
    private const double ShortestStep = 0.25;

    // If nothing waits for a slot for so long, the slots limit nothing.
    private const double LongestStep = 5;

    // Two refusals above, without noise.
    private const double Certainty = 3.5;
    private const double CertaintyBelow = 6;
    private const int MaxAbove = 64;
    private const double Calm = 1;

    // So long, and so many accepted sends, tell what is accepted a second.
    private const double ShortestHeld = 1.5;
    private const int FewestHeld = 8;

    private readonly Emptied _heldFrom = search.PhaseFrom;
    private readonly Limits _before = search.Learned.Current;
    private readonly bool _learnt = search.Learned.Cap.IsLearnt;
    private double _step;
    private int _passed;
    private double _stepAt;
    private int _above;
    private int _refusedAbove;
    private bool _isSettling;

    // Far more is accepted than was taken for the limit.
    private bool HasGrown => _learnt && _passed > _before.InFlight * 3 / 2;

    public override Limits? Before => _before;

    public override void Begin(double now)
    {
        _step = FirstStep;
        Raise(now);
    }

    public override void Sent(in SendMark mark) => _above += IsAbove(mark) ? 1 : 0;

    public override void Refused(in SendMark mark) => _refusedAbove += IsAbove(mark) ? 1 : 0;

    public override void Advance(double now)
    {
        ShareLevel above = ShareTest.Judge(_above, _refusedAbove, Floor.Well, Floor.Most, Certainty);
        if (_isSettling)
        {
            Settle(above, now);
        }
        else if (above == ShareLevel.High || (above == ShareLevel.Open && _above >= MaxAbove))
        {
            Refuse(now);
        }
        else if (Evidence.Judge(Sends, Floor.Well, Floor.Bad, CertaintyBelow) == ShareLevel.High)
        {
            // Not only what is above is refused, so that is no matter of what is in flight.
            Cap.Set(_learnt && !HasGrown ? _before.InFlight : _passed, _learnt);
            End(now);
        }
        else if (Cap.HasHeldBack ? above == ShareLevel.Low && Cap.Value >= Cap.Ceiling : now > _stepAt + LongestStep)
        {
            Cap.Set(Cap.Ceiling, false);
            _passed = Cap.Ceiling;
            End(now);
        }
        else if (above == ShareLevel.Low && now >= _stepAt + Math.Max(ShortestStep, 4 * Sends.RefusalDelay))
        {
            _step = Math.Min(Acceleration * _step, LargestStep);
            Raise(now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        if (_learnt && !cycle.IsLong)
        {
            Refuse(now);
            return;
        }

        // None of the raise's making: only the slow start was going on, or everything was refused for seconds.
        Cap.Set(_passed, _learnt);
        HoldReopened(now, cycle);
    }

    private void Refuse(double now)
    {
        if (!HasGrown || (SeesAll && Evidence.IsByInFlight))
        {
            Cap.Set(_passed, true);
            if (_learnt && _passed > _before.InFlight)
            {
                _isSettling = true;
                Watch(_before.InFlight, now);
            }
            else
            {
                End(now);
            }

            return;
        }

        // What was taken for the limit was not. So it may be the rate that is limited, and what is in flight only went with it.
        // What was accepted before tells it better: on the way up, what was saved up was accepted on top.
        Emptied began = Search.PhaseFrom;
        bool isHeldLongEnough = SeesAll
            && began.At - _heldFrom.At > ShortestHeld && began.Accepted - _heldFrom.Accepted >= FewestHeld;
        double accepted = new Emptied(now, Seen.Accepted).RateSince(began);
        double rate = Floor.Before(isHeldLongEnough ? Math.Min(accepted, began.RateSince(_heldFrom)) : accepted);
        Learned.Set(new Limits(Cap.Ceiling, false, Math.Min(Pacer.Rate, rate)), now);
        Schedule.IsRough = !isHeldLongEnough;
        Search.HoldLearned(now, Calm);
    }

    // What passed on the way up may have been saved up before. Then it is refused now.
    private void Settle(ShareLevel above, double now)
    {
        if (above == ShareLevel.High)
        {
            Cap.Set(_before.InFlight, true);
            End(now);
        }
        else if (now > _stepAt + Calm)
        {
            End(now);
        }
    }

    private void Raise(double now)
    {
        int passed = Cap.Value;
        Cap.Set(passed + Math.Max(1, (int)(passed * _step)), _learnt);
        Watch(passed, now);
    }

    private void Watch(int passed, double now)
    {
        _passed = passed;
        _above = _refusedAbove = 0;
        _stepAt = now;
        Seen.Renew();
    }

    private bool IsAbove(in SendMark mark) => mark.InFlight >= _passed && mark.At >= _stepAt;

    private void End(double now)
    {
        Schedule.Tried(Learned.Current, HasGrown, now, Sends.Count);
        Search.Hold(now, SeesAll ? 0 : Calm);
    }
}
