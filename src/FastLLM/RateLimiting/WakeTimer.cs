namespace FastLLM.RateLimiting;

/// <summary>Calls a limiter back when the first waiter may pass. Set only while a request waits, so that an idle manager is held by no
/// timer.</summary>
/// <remarks>Times are seconds on the clock of <see cref="RateLimiters"/>, under whose lock it stands.</remarks>
internal sealed class WakeTimer(TimeProvider time, ModelRateLimiter limiter)
{
    private const double Longest = 86_400;

    private ITimer? _timer;
    private double _at = double.PositiveInfinity;
    private bool _isDisposed;

    /// <summary>Sets the timer, unless it fires earlier anyway.</summary>
    public void Set(double now, double wait)
    {
        double at = now + wait;
        if (double.IsPositiveInfinity(wait) || (_at <= at && _at > now) || _isDisposed)
        {
            return;
        }

        _timer ??= Create();
        _at = at;

        // Whole milliseconds, rounded up: system timers know no others, and one that fires early would only have to be set again.
        _timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(Math.Min(wait, Longest) * 1000)), Timeout.InfiniteTimeSpan);
    }

    /// <summary>Notes that the timer has fired.</summary>
    public void Fired() => _at = double.PositiveInfinity;

    /// <summary>Stops the timer: no request waits any more.</summary>
    public void Stop()
    {
        if (!double.IsPositiveInfinity(_at))
        {
            _at = double.PositiveInfinity;
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        _isDisposed = true;
        _timer?.Dispose();
    }

    private ITimer Create()
    {
        // The timer must not keep the context of the request that happened to come first.
        using (ExecutionContext.SuppressFlow())
        {
            return time.CreateTimer(
                static state => ((ModelRateLimiter)state!).Open(), limiter,
                Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
