namespace FastLLM.Retries;

/// <summary>Computes the delay before a request is sent again.</summary>
internal static class Backoff
{
    /// <summary>The longest wait that is our own choice; a provider may ask for a longer one.</summary>
    public static readonly TimeSpan Cap = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LongestAsked = TimeSpan.FromDays(7);

    /// <summary>Full jitter on exponential back-off: anywhere between nothing and <paramref name="baseDelay"/>·2ⁿ, at most a minute. What
    /// the provider asked for is a minimum, on top of which comes up to a quarter of it, so that no request wakes early and not all wake at
    /// once.</summary>
    /// <param name="failures">How many attempts have failed so far, at least 1.</param>
    /// <param name="baseDelay">The upper end of the first wait.</param>
    /// <param name="retryAfter">What the provider asked for, if it did.</param>
    /// <param name="random">A random number, 0 ≤ random &lt; 1.</param>
    public static TimeSpan Delay(int failures, TimeSpan baseDelay, TimeSpan? retryAfter, double random)
    {
        double ceiling = Math.Min(Cap.Ticks, baseDelay.Ticks * Math.Pow(2, Math.Clamp(failures - 1, 0, 40)));
        var own = TimeSpan.FromTicks((long)(ceiling * random));
        if (retryAfter is not { } asked)
        {
            return own;
        }

        // A custom provider may say anything.
        asked = TimeSpan.FromTicks(Math.Clamp(asked.Ticks, 0, LongestAsked.Ticks));
        TimeSpan jitter = TimeSpan.FromTicks((long)(Math.Min(asked.Ticks, Cap.Ticks * 4) * 0.25 * random));
        TimeSpan minimum = asked + jitter;
        return minimum > own ? minimum : own;
    }
}
