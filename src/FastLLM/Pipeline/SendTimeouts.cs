using FastLLM.Providers;

namespace FastLLM.Pipeline;

/// <summary>Decides how long a send may take.</summary>
internal sealed class SendTimeouts(RequestManagerOptions options)
{
    private const int MaxDoublings = 10;

    private static readonly TimeSpan ReasoningTimeout = TimeSpan.FromSeconds(600);

    /// <summary>Returns how long the next send may take; <see langword="null"/> if the request is out of time.</summary>
    /// <param name="model">The model.</param>
    /// <param name="timedOut">How many sends of the request timed out: each doubles the time of the next.</param>
    /// <param name="age">The time since the request's first step.</param>
    /// <param name="option">The name of the option that sets the limit.</param>
    public TimeSpan? Next(string? model, int timedOut, TimeSpan age, out string option)
    {
        option = nameof(RequestManagerOptions.Timeout);
        TimeSpan timeout = options.TimeoutChosen || !ModelQuirks.Reasons(model) ? options.Timeout : ReasoningTimeout;
        if (timedOut > 0 && timeout != Timeout.InfiniteTimeSpan)
        {
            timeout *= Math.Pow(2, Math.Min(timedOut, MaxDoublings));
        }

        if (options.TotalTimeout - age is not { } left)
        {
            return timeout;
        }

        if (timeout == Timeout.InfiniteTimeSpan || left < timeout)
        {
            option = nameof(RequestManagerOptions.TotalTimeout);
            timeout = left;
        }

        return left <= TimeSpan.Zero ? null : timeout;
    }
}
