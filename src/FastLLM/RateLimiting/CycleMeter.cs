namespace FastLLM.RateLimiting;

/// <summary>Measures what a provider accepts from one opening to the next, when a closure has ended.</summary>
/// <param name="firstAt">When the first send began: it opens the first cycle, as a probe does a later one.</param>
/// <param name="seesAll">Whether no other process shares the limit.</param>
internal sealed class CycleMeter(double firstAt, bool seesAll)
{
    // So many accepted sends tell a rate well enough to start from; fewer, if it takes long to get them.
    private const int FewestForRate = 8;
    private const int FewestIfSlow = 4;
    private const double Long = 5;

    // Windows close for a good part of the time and take many sends at once; buckets do not.
    private const double LastingPart = 0.1;
    private const int FewestInWindow = 50;

    // If fewer were accepted, most of them were what may be sent at once. Low rates are raised with care: each refusal is a large share
    // there. But what is closed for far longer than one send takes at that rate is a window, and most of it went before.
    private const int FewestIfRough = 100;
    private const double Slow = 30;

    private Emptied _opened = new(firstAt, 1);
    private Emptied _openedBefore = new(firstAt, 1);
    private Emptied _passed;

    /// <summary>Gets a value indicating whether the last closure was a good part of its cycle.</summary>
    public bool IsLasting { get; private set; }

    /// <summary>Takes in that a probe was accepted.</summary>
    /// <param name="closure">The closure.</param>
    /// <param name="accepted">How many sends were accepted until now.</param>
    /// <param name="now">The time.</param>
    /// <param name="cycle">What the cycle teaches.</param>
    /// <returns>Whether that is enough to tell; otherwise the probes continue.</returns>
    public bool TryEnd(Closure closure, long accepted, double now, out Cycle cycle)
    {
        ProbeOutcomes probes = closure.Probes;
        if (accepted - _opened.Accepted < FewestForRate)
        {
            // It closed again at once, so perhaps it had never opened: a refusal that came late was taken for an acceptance.
            _opened = _openedBefore;
        }

        _passed = probes.Passed == 1 ? new Emptied(now, accepted) : _passed;

        // The cycle ends with the first probe that was accepted, as it began with one; unless too few were.
        Emptied end = _passed.Accepted - _opened.Accepted >= FewestForRate ? _passed : new Emptied(now, accepted);
        long inCycle = end.Accepted - _opened.Accepted;
        double closed = now - closure.ClosedAt;
        int fewest = closed > Long ? FewestIfSlow : FewestForRate;
        cycle = default;
        if (!probes.IsAboutInFlight && (probes.IsWideOpen ? inCycle : probes.Passed) < fewest)
        {
            return false;
        }

        // What may be sent at once went before the closure, so the probes tell the rate better where they were accepted one by one.
        double length = Math.Max(end.At - _opened.At, 1e-3);
        bool isLasting = closed > length * LastingPart && inCycle >= FewestInWindow;
        double rate = double.IsPositiveInfinity(probes.Rate) ? inCycle / length : probes.Rate;
        cycle = new Cycle(
            rate,
            closure.InFlight,
            closure.ProbeInFlight,
            probes.IsByInFlight,
            probes.IsAboutInFlight,
            IsLasting: isLasting,
            IsLong: closed > Long,
            IsRough: inCycle < FewestIfRough && double.IsPositiveInfinity(probes.Rate)
                && (rate > Slow || (seesAll && closed * rate > FewestIfSlow)),
            IsWideOpen: probes.IsWideOpen,
            Opened: end);
        IsLasting = isLasting;
        if (inCycle >= FewestForRate)
        {
            (_openedBefore, _opened) = (_opened, end);
        }

        return true;
    }
}
