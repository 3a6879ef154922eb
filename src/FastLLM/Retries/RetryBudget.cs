namespace FastLLM.Retries;

/// <summary>Limits the retries of all requests of a manager together, so that a provider in trouble is not flooded with retries.</summary>
/// <remarks>It holds a hundred retries. A success gives back what its own retries took, and a fifth of a retry besides where it took none;
/// time gives one a second. Where it is empty a retry does not fail: it waits until its turn would have come, at most a minute. Waits for a
/// throttled provider, and what is met while it is down, take nothing. Safe for concurrent use; a success costs one read while the budget
/// is full.</remarks>
internal sealed class RetryBudget(TimeProvider time)
{
    private const double Full = 500;
    private const double OfRetry = 5;
    private const double OfSuccess = 1;
    private const double ASecond = 5;

    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private double _left = Full;
    private long _at = time.GetTimestamp();
    private volatile bool _full = true;

    /// <summary>Takes a retry out.</summary>
    /// <returns>How much longer it must wait, since others were there before it.</returns>
    public TimeSpan Take()
    {
        lock (_gate)
        {
            Refill();
            _left -= OfRetry;
            _full = false;
            return _left >= 0 ? TimeSpan.Zero : Shorter(TimeSpan.FromSeconds(-_left / ASecond));
        }
    }

    /// <summary>A request was answered.</summary>
    /// <param name="retries">The retries that it took.</param>
    public void Succeeded(int retries)
    {
        if (_full)
        {
            return;
        }

        lock (_gate)
        {
            Refill();
            _left = Math.Min(Full, _left + (retries == 0 ? OfSuccess : retries * OfRetry));
            _full = _left >= Full;
        }
    }

    private static TimeSpan Shorter(TimeSpan wait) => wait < s_longest ? wait : s_longest;

    private void Refill()
    {
        long now = time.GetTimestamp();
        _left = Math.Min(Full, _left + (time.GetElapsedTime(_at, now).TotalSeconds * ASecond));
        _at = now;
    }
}
