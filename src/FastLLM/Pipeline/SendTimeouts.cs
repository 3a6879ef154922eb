using FastLLM.Providers;

namespace FastLLM.Pipeline;

/// <summary>Decides how long a send may take.</summary>
internal sealed class SendTimeouts(RequestManagerOptions options)
{
    private const int MaxDoublings = 10;

    private static readonly TimeSpan s_reasoning = TimeSpan.FromSeconds(600);
    private static readonly TimeSpan s_interactive = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_interactiveReasoning = TimeSpan.FromSeconds(120);

    /// <summary>Returns how long the first send of a request may take.</summary>
    /// <param name="options">The options.</param>
    /// <param name="model">The model.</param>
    /// <param name="isInteractive">Whether a caller waits for this request alone, and sees nothing of the answer until it is
    /// whole.</param>
    public static TimeSpan First(RequestManagerOptions options, string? model, bool isInteractive)
    {
        if (options.TimeoutChosen)
        {
            return options.Timeout;
        }

        bool reasons = ModelQuirks.Reasons(model);
        return isInteractive
            ? reasons ? s_interactiveReasoning : s_interactive
            : reasons ? s_reasoning : options.Timeout;
    }

    /// <summary>Returns how long the next send may take; <see langword="null"/> if the request is out of time.</summary>
    /// <param name="model">The model.</param>
    /// <param name="timedOut">How many sends of the request timed out: each doubles the time of the next.</param>
    /// <param name="age">The time since the request's first step.</param>
    /// <param name="isInteractive">Whether a caller waits for this request alone.</param>
    /// <param name="option">The name of the option that sets the limit.</param>
    public TimeSpan? Next(string? model, int timedOut, TimeSpan age, bool isInteractive, out string option)
    {
        option = nameof(RequestManagerOptions.Timeout);
        TimeSpan timeout = First(options, model, isInteractive);
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
