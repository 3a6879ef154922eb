namespace FastLLM.RateLimiting;

/// <summary>How many requests a second the provider takes, learned from its refusals where no limit is configured.</summary>
/// <remarks>
/// <para>Slots alone are too coarse where answers come fast: twenty slots of 10 ms are 2,000 a second. So the first refusals (429) turn the
/// rate of what was let through into a paced rate. From then on what is let through between two refusals is the measure of what the
/// provider takes: the rate is cut to that, and at least by a tenth, once per episode. It grows by a twentieth each second in which nothing
/// was refused, rests a while just below what was measured, and then tries again whether there is more; the rests get longer as long as
/// there is not.</para>
/// <para>Where nothing at all is let through any more (the minute's window is used up, and no response says for how long), it becomes a trickle
/// of probes; the first that succeeds brings back what the last minute has proven. Times are seconds on the clock of
/// <see cref="RateLimiters"/>, under whose lock it stands.</para>
/// </remarks>
/// <param name="patience">How many refusals within ten seconds it takes to learn from them. Beside configured limits, a stray one is no
/// news.</param>
internal sealed class LearnedRate(int patience)
{
    private const int InARow = 5;               // refusals without a pass between them: nothing is let through any more
    private const double Floor = 0.2;           // a probe each 5 s
    private const double Growth = 1.05;
    private const double Cut = 0.9;
    private const double Below = 0.95;          // of what was measured
    private const double DeepestCut = 0.25;
    private const double Early = 8;             // so soon after a cut, a refusal says that the rate is far off
    private const double ShortestMeasure = 0.1;
    private const int FewestMeasured = 5;
    private const double LongestMeasure = 5;    // for fewer than that
    private const double Used = 0.7;            // of what was allowed; else it was not the rate that held back
    private const double FarOff = 1.5;          // sends that would have gone during the wait that is asked for
    private const double CatchUp = 0.05;        // a timer that is late costs no send
    private const double FirstRest = 10;
    private const double LongestRest = 60;
    private const int RestInSends = 60;
    private const double Patience = 10;
    private const int Window = 64;              // seconds that are remembered

    private readonly int[] _taken = new int[Window];
    private long _second = -1;
    private long _firstSecond = -1;
    private double _rate = double.PositiveInfinity;
    private double _next = double.NegativeInfinity;
    private double _measured;
    private double _cutAt = double.NegativeInfinity;
    private double _measureFrom;
    private double _firstAt;
    private double _openPassed;
    private double _openFrom;
    private double _restUntil;
    private double _rest = FirstRest;
    private double _checkedAt;
    private double _allowed;
    private int _sent;
    private int _refused;
    private int _inARow;
    private int _passedBefore;
    private bool _clean;
    private bool _blocked;
    private double _patienceEnds = double.NegativeInfinity;
    private int _strays;

    /// <summary>Whether the provider has taught a rate.</summary>
    public bool IsLearned => !double.IsPositiveInfinity(_rate);

    /// <summary>Sends a second; infinite where nothing was learned.</summary>
    public double PerSecond => _rate;

    /// <summary>How long until the next send may go; 0 for now.</summary>
    public double Wait(double now)
    {
        if (!IsLearned)
        {
            return 0;
        }

        Grow(now);
        double wait = _next - now;
        return wait > 1e-9 ? wait : 0;
    }

    /// <summary>A send goes.</summary>
    public void Sent(double now)
    {
        Slot(now)++;
        if (IsLearned)
        {
            _sent++;
            _next = Math.Max(_next, now - CatchUp) + (1 / _rate);
        }
    }

    /// <summary>A send did not go after all.</summary>
    public void NotSent(double sentAt) => TakeBack(sentAt);

    /// <summary>A send was answered.</summary>
    public void Answered(double now, double sentAt)
    {
        if (_blocked && sentAt >= _cutAt)
        {
            _blocked = false;
            double proven = _openPassed / Math.Max(now - _openFrom, 1);
            Begin(now, 0, Math.Max(_rate, proven * Below), proven);
        }
    }

    /// <summary>A send was refused.</summary>
    /// <param name="now">When.</param>
    /// <param name="sentAt">When it was sent.</param>
    /// <param name="wait">How long the provider asks to wait, if it does.</param>
    public void Refused(double now, double sentAt, double wait)
    {
        TakeBack(sentAt);
        if (!IsLearned)
        {
            if (Stray(now))
            {
                return;
            }

            double most = MaxInASecond(now);
            if (wait > 0)
            {
                most = Math.Min(most, Passed() / (Math.Min(now - _firstAt, 60) + wait));
            }

            Begin(now, wait, Math.Max(most * Cut, Floor), most);
            return;
        }

        if (sentAt < _cutAt)
        {
            return;
        }

        _refused++;
        _clean = false;
        _checkedAt = Math.Max(_checkedAt, now + wait);
        double elapsed = now - _measureFrom;
        int passed = _sent - _refused;
        _inARow = passed <= _passedBefore ? _inARow + 1 : 1;
        _passedBefore = passed;
        if (_inARow >= InARow && wait <= 0)
        {
            BlockReason(now);
            return;
        }

        if (elapsed < Math.Max(ShortestMeasure, 2 * (now - sentAt)) || (passed < FewestMeasured && elapsed + wait < LongestMeasure))
        {
            return;
        }

        // Where little may be used at once, a rate that is a little too high gets every other send refused: what passes then says too
        // little.
        bool isFarOff = wait > 0 ? wait > FarOff / _rate : passed < _refused && elapsed <= Early;
        double measured = passed / (elapsed + wait);
        if (!isFarOff && elapsed > Early)
        {
            // It went well for a while: the rate is a little too high, and what went through on average is the least that is taken.
            _rest = _rate > _measured * Below ? Math.Min(_rest * 2, LongestRest) : FirstRest;
            double less = Math.Max(_rate * Cut, Math.Min(measured * Below, _rate));
            Begin(now, wait, Math.Max(less, Floor), less / Below);
            return;
        }

        double rate = isFarOff ? Math.Clamp(measured * Below, _rate * DeepestCut, _rate * Cut) : _rate * Cut;
        Begin(now, wait, Math.Max(rate, Floor), isFarOff && passed > 0 ? measured : rate / Below);
    }

    private void BlockReason(double now)
    {
        if (!_blocked)
        {
            _blocked = true;
            _openPassed = Passed();
            _openFrom = Math.Max(_firstAt, now - 60);
        }

        double rate = Math.Max(_rate * DeepestCut, Floor);
        Begin(now, 0, rate, rate);
    }

    private void Begin(double now, double wait, double rate, double measured)
    {
        _rate = rate;
        _measured = Math.Max(measured, rate);
        _cutAt = now;
        _measureFrom = _checkedAt = now + wait;
        _restUntil = now + wait + Math.Max(_rest, RestInSends / Math.Max(_measured, 1));
        _next = now + (1 / rate);
        _sent = _refused = _inARow = _passedBefore = 0;
        _allowed = 0;
        _clean = true;
    }

    private void Grow(double now)
    {
        double period = Math.Max(1, 2 / _rate);
        double elapsed = now - _checkedAt;
        if (elapsed < period)
        {
            return;
        }

        _checkedAt = now;
        _allowed += _rate * elapsed;
        bool clean = _clean;
        _clean = true;
        if (!clean || _blocked || _sent < _allowed * Used)
        {
            return;
        }

        double grown = _rate * Math.Pow(Growth, Math.Min(elapsed, 2));
        double rest = _measured * Below;
        _rate = now < _restUntil && grown > rest ? Math.Max(_rate, rest) : grown;
    }

    // What the last minute let through.
    private double Passed()
    {
        long passed = 0;
        for (var i = 0; i < 60 && _second - i >= _firstSecond; i++)
        {
            passed += _taken[(_second - i) % Window];
        }

        return passed;
    }

    private double MaxInASecond(double now)
    {
        _ = Slot(now);
        int most = 1;
        for (var i = 0; i < 10 && _second - i >= _firstSecond; i++)
        {
            most = Math.Max(most, _taken[(_second - i) % Window]);
        }

        return most;
    }

    private void TakeBack(double sentAt)
    {
        var second = (long)sentAt;
        if (second > _second - Window && second >= 0 && _taken[second % Window] > 0)
        {
            _taken[second % Window]--;
        }
    }

    private bool Stray(double now)
    {
        if (now > _patienceEnds)
        {
            _patienceEnds = now + Patience;
            _strays = 0;
        }

        return ++_strays < patience;
    }

    private ref int Slot(double now)
    {
        var second = (long)now;
        if (_firstSecond < 0)
        {
            _firstSecond = _second = second;
            _firstAt = now;
        }

        for (long skipped = Math.Max(_second + 1, second - Window + 1); skipped <= second; skipped++)
        {
            _taken[skipped % Window] = 0;
        }

        _second = Math.Max(_second, second);
        return ref _taken[_second % Window];
    }
}
