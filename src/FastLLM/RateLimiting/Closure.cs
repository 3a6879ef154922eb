namespace FastLLM.RateLimiting;

/// <summary>Stops sending while everything is refused, and finds out by single probes when the provider accepts again.</summary>
/// <remarks>
/// A probe goes each time the closure has grown by a quarter: that finds the end of a closure of milliseconds as exactly as that of one of
/// minutes, with few probes. Once a probe passes, the next one goes at once, later ones in half the time that the one before took. If such
/// an early probe passes too, the provider is open, as at the beginning of a window. If none does, it lets sends through one by one, as a
/// bucket that is empty does: then the probes follow its rate, until there are enough of them to tell it.
/// </remarks>
internal sealed class Closure
{
    // By how much the wait has grown at the next probe. A requested wait saves probes; what has passed makes more of them worth their
    // refusals.
    private const double Growth = 0.25;
    private const double GrowthIfTold = 0.6;
    private const double GrowthOncePassed = 0.05;
    private const double Early = 0.5;
    private const double AlmostDue = 0.95;

    // After a long closure, the longest wait makes a probe early, too. Shorter times are not known so exactly.
    private const double NotDue = 0.9;

    // A requested wait that is far too long must not be found out late.
    private const double LongestTold = 2;

    // Where probes are so rare, one that is refused by chance would cost much.
    private const double RareProbes = 1.5;

    // A probe may be refused at random though the wait was right. Waits that are wrong so often end ever sooner.
    private const int MaxWrongWaits = 3;

    private const double ShortestWait = 0.005;

    // A standstill must never look like a hang.
    private const double LongestWait = 4.5;

    // So much noise refuses one probe after the other although the provider is open.
    private const double MuchNoise = 0.25;
    private const double MostNoise = 0.8;

    // By chance, less than once in a hundred million sends.
    private const double ByChance = 1e-8;
    private const double HardlyByChance = 1e-3;
    private const int FewestRefused = 8;
    private const int LongestRun = 60;

    // Of sends that were refused close to each other, chance refuses more than that once in three million times.
    private const double Deviations = 5;

    // Many fields because the probe under way, those before it and the time of the next one depend on each other.
    private long _probe = -1;
    private bool _isProbeAnswered;
    private double _probeAt;
    private long _passedIndex = -1;
    private (ProbeOutcomes Probes, double Since, int Early) _before;
    private bool _answered;
    private double _interval;
    private int _early;
    private double _since;
    private double _next;
    private double _longestWait = LongestWait;
    private (double Until, int Wrong) _requested;

    public bool IsClosed { get; private set; }

    /// <summary>Gets when it closed.</summary>
    public double ClosedAt { get; private set; }

    /// <summary>Gets when it may end, if that is known.</summary>
    public ExpectedOpening Opening { get; } = new();

    /// <summary>Gets how many were accepted and still in flight when everything else was refused.</summary>
    public int InFlight { get; private set; }

    /// <summary>Gets how many others were in flight when the last probe was sent.</summary>
    public int ProbeInFlight { get; private set; }

    /// <summary>Gets what the probes have shown.</summary>
    public ProbeOutcomes Probes { get; private set; }

    /// <summary>Tells whether so many sends are refused that it cannot be chance.</summary>
    /// <remarks>That is a run of refusals or, among sends that began together, far more refusals than noise makes.</remarks>
    /// <param name="sends">The sends.</param>
    /// <param name="share">The share of sends that is refused at random.</param>
    public static bool IsDue(SendCounter sends, double share)
    {
        long sent = sends.Count - sends.Settled;
        int refused = sends.RefusedUnsettled;
        double run = Math.Clamp(Math.Log(ByChance) / Math.Log(Math.Max(share, 0.01)), FewestRefused, LongestRun);
        return sends.RefusedRun >= run
            || (sends.RefusedRun + refused >= run && refused >= sent)
            || (refused >= FewestRefused && sends.RefusedSpan is var span
                && refused > (share * span) + (Deviations * Math.Sqrt(share * (1 - share) * span)));
    }

    /// <summary>Tells whether so many sends are refused that it is hardly chance, where that was expected.</summary>
    public static bool IsDueAsExpected(SendCounter sends, double share)
    {
        double run = Math.Log(HardlyByChance) / Math.Log(Math.Max(share, HardlyByChance));
        return sends.RefusedRun + sends.RefusedUnsettled >= run && sends.RefusedUnsettled >= sends.Count - sends.Settled;
    }

    /// <summary>It closes.</summary>
    /// <param name="now">The time.</param>
    /// <param name="inFlight">How many are in flight.</param>
    /// <param name="noise">The share of sends that is refused at random.</param>
    public void Close(double now, int inFlight, double noise)
    {
        _longestWait = noise < MuchNoise ? LongestWait : LongestWait * (1 - Math.Min(noise, MostNoise));
        IsClosed = true;
        ClosedAt = now;
        _answered = false;
        _early = 0;
        _interval = 0;
        InFlight = inFlight;
        Probes = ProbeOutcomes.None;
        _probe = _passedIndex = -1;
        _since = now;
        _next = now + ShortestWait;
        _requested = default;
        Opening.Reset(now);
    }

    public void Open() => IsClosed = false;

    /// <summary>Gets how long the next probe must wait; 0 if it may go. One whose refusal takes long is not waited for.</summary>
    public double Wait(double now, double refusalDelay)
    {
        if (_probe < 0)
        {
            return Math.Max(0, _next - now);
        }

        double longest = _probeAt + LongestWait - now;
        return longest > 0 ? Math.Clamp(_probeAt + (2 * refusalDelay) - now, Math.Min(1e-3, longest), longest) : 0;
    }

    public void Probe(in SendMark mark)
    {
        _probe = mark.Index;
        _isProbeAnswered = false;
        _probeAt = mark.At;
        ProbeInFlight = mark.InFlight;
    }

    /// <summary>Counts a refusal while closed.</summary>
    /// <param name="mark">The refused send.</param>
    /// <param name="now">The time.</param>
    /// <param name="retryAfter">The seconds that the provider asks to wait; 0 if it does not.</param>
    public void Refuse(in SendMark mark, double now, double retryAfter)
    {
        _requested.Wrong += mark.Index == _probe && _requested.Until > 0 && mark.At >= _requested.Until ? 1 : 0;
        _requested.Until = retryAfter > 0 && _requested.Wrong < MaxWrongWaits ? now + retryAfter : _requested.Until;
        if (mark.Index == _passedIndex)
        {
            // It took longer than refusals do, so the probe was taken for accepted.
            _passedIndex = -1;
            (Probes, _since, _early) = _before;
            _next = Math.Max(_next, now + ShortestWait);
            return;
        }

        if (mark.Index != _probe)
        {
            // Sent before the closure: it was not accepted after all.
            InFlight--;
            return;
        }

        _probe = -1;
        Opening.Shut(mark.At);
        Probes = Probes.WithRefused(mark.InFlight, mark.InFlight < Math.Max(InFlight - (InFlight / 10), 1));

        if (_early == 1 && _interval > RareProbes)
        {
            _early++;
            _next = now + ShortestWait;
            return;
        }

        // A requested wait is a hint, as it may be wrong: fewer probes before it, and one when it is over.
        double age = now - _since;
        bool isTold = now < _requested.Until;
        double growth = isTold && age < LongestTold ? GrowthIfTold : Probes.Passed > 0 || Opening.IsDue(now) ? GrowthOncePassed : Growth;
        double wait = Math.Clamp(_early > 0 ? (AlmostDue * _interval) - age : age * growth, ShortestWait, _longestWait);
        _early = 0;
        _next = Opening.NextProbe(
            now, isTold ? Math.Min(now + wait, _requested.Until) : now + wait, now + _longestWait, _requested.Until);
    }

    /// <summary>A send failed. If it was the probe, another one goes in its place.</summary>
    public void Failed(in SendMark mark) => _probe = mark.Index == _probe ? -1 : _probe;

    /// <summary>An answer left a slot that may be what the provider waited for.</summary>
    /// <returns>Whether it was the probe's, which is known to be accepted then.</returns>
    public bool Answered(in SendMark mark, double now)
    {
        if (mark.Index == _probe)
        {
            _isProbeAnswered = true;
            return true;
        }

        _answered = true;
        if (Probes.RefusedBelow < 2 && _probe < 0)
        {
            _next = Math.Min(_next, now);
        }

        return false;
    }

    /// <summary>Tells whether the last probe was accepted.</summary>
    /// <param name="settled">The number of settled sends.</param>
    public bool HasPassed(long settled)
    {
        if (_probe < 0 || (_probe >= settled && !_isProbeAnswered))
        {
            return false;
        }

        _isProbeAnswered = false;
        if (_probeAt >= _requested.Until)
        {
            if (Probes.Passed == 0)
            {
                Opening.Shut(_requested.Until);
            }

            _requested.Until = 0; // what comes next was not asked to wait
        }

        _before = (Probes, _since, _early);
        (_probe, _passedIndex) = (-1, _probe);
        double interval = _probeAt - _since;
        bool isEarly = _early > 0 || (_interval > LongestWait && interval < _interval * NotDue);
        Probes = Probes.WithPassed(_probeAt, ProbeInFlight, !_answered, isEarly);
        _early = 1;
        _interval = interval;
        _next = _probeAt + (Probes.Passed == 1 || Probes.IsWideOpen ? 0 : Math.Min(Early * _interval, LongestWait));
        _since = _probeAt;
        return true;
    }
}
