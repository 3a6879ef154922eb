namespace FastLLM.RateLimiting;

/// <summary>Limits the sends of one model to what its provider takes, by whatever law the provider refuses.</summary>
internal sealed class LearningLimiter(int ceiling, bool slowStart)
{
    private const double Heartbeat = 5;

    private readonly SendCounter _sends = new();
    private readonly InFlightCap _cap = new(ceiling, slowStart);
    private readonly Pacer _pacer = new();
    private LawSearch? _search;
    private double _firstAt = -1;
    private double _lastAt;

    public int InFlight => _sends.InFlight;

    public int Limit => _cap.Value;

    public ThrottlingLaw Law => _search?.Law ?? default;

    public string Debug => _search?.Debug ?? "";

    public double Wait(double now)
    {
        if (_search is null)
        {
            return _sends.InFlight < _cap.Value ? 0 : double.PositiveInfinity;
        }

        _search.Advance(now);
        if (_sends.InFlight >= _cap.Ceiling)
        {
            return double.PositiveInfinity;
        }

        if (_search.Closure.IsClosed)
        {
            return _search.Closure.Wait(now, _sends.RefusalDelay);
        }

        if (_sends.InFlight + _sends.RefusedUnsettled >= _cap.Value)
        {
            _cap.HasHeldBack = true;
            return Math.Max(0, _lastAt + Heartbeat - now);
        }

        return _pacer.Wait(now);
    }

    public SendMark Sent(double now)
    {
        if (_firstAt < 0)
        {
            _firstAt = now;
        }

        _lastAt = now;
        SendMark mark = _sends.Begin(now);
        if (_search is not null)
        {
            _pacer.Sent(now);
            _search.Sent(mark);
        }

        return mark;
    }

    public void Answered(in SendMark mark, double now)
    {
        _sends.End();
        if (_search is null)
        {
            _cap.Answered();
        }
        else
        {
            _search.Answered(now);
        }
    }

    public void Refused(in SendMark mark, double now, double told)
    {
        _sends.End();
        _sends.Refuse(mark, now);
        _search ??= new LawSearch(_sends, _cap, _pacer, _firstAt);
        _search.Refused(mark, now, told);
    }
}
