namespace FastLLM.RateLimiting;

// What a limiter learns when a lease comes back.
internal sealed partial class ModelRateLimiter
{
    private const double LatencyWeight = 0.05;
    private const double SlotsForRate = 1.25;

    private double _latency;
    private int _forRate;

    private void Learn(Lease lease, LeaseEnd end, Usage? usage, double wait)
    {
        double now = _limiters.Now;
        int limit = Limit;
        _adaptive?.Ended(end, _inFlight, now, wait, _rate.IsLearned);
        _configured?.Settle(lease, end, usage);
        if (end == LeaseEnd.Throttled)
        {
            _configured?.UsedUp(now, lease.Since);
        }

        if (lease.Headers is { } headers)
        {
            // After it is settled: what is given back must not stand above what the provider says.
            _configured?.Correct(now, lease, headers);
        }

        switch (end)
        {
            case LeaseEnd.Throttled:
                _rate.Refused(now, lease.Since, wait);
                break;
            case LeaseEnd.NotUsed:
                _rate.NotSent(lease.Since);
                break;
            case LeaseEnd.Answered:
                _rate.Answered(now, lease.Since);
                _latency += (now - lease.Since - _latency) * (_latency == 0 ? 1 : LatencyWeight);
                break;
        }

        // A rate that was learnt is the brake; slots must not be a second one, which would take many rounds of slow answers to loosen.
        _forRate = _rate.IsLearned ? (int)Math.Min(Math.Ceiling(_rate.PerSecond * _latency * SlotsForRate), _limiters.Ceiling) : 0;
        if (Limit != limit)
        {
            _limiters.Measure();
        }

        if (wait > 0 && end == LeaseEnd.Throttled)
        {
            _closedUntil = Math.Max(_closedUntil, now + wait);
        }
    }
}
