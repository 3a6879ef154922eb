using System.Globalization;

namespace FastLLM.Cli;

/// <summary>The words of progress, the same on a terminal and in a plain line.</summary>
internal static class ProgressText
{
    /// <summary><c>1,234/5,000 (24%)</c>, or <c>1,234 done</c> where the end is not known.</summary>
    public static string Done(TokenStats stats, long? total)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        return total is > 0 and var all
            ? string.Create(culture, $"{stats.RequestsCompleted:N0}/{all:N0} ({Math.Floor(Share(stats, all) * 100)}%)") // 100% only when all are done
            : string.Create(culture, $"{stats.RequestsCompleted:N0} done");
    }

    /// <summary><c>1,230 ok · 4 failed · 200 cached · 12 shared</c>.</summary>
    public static string Outcomes(TokenStats stats) => string.Create(
        CultureInfo.InvariantCulture,
        $"{stats.RequestsCompleted - stats.Failed:N0} ok · {stats.Failed:N0} failed · {stats.CacheHits:N0} cached · {stats.Shared:N0} shared");

    /// <summary>Tokens a second, how many are in flight, and what limits.</summary>
    /// <param name="stats">The numbers.</param>
    /// <param name="elapsed">The time gone.</param>
    public static string Speed(TokenStats stats, TimeSpan elapsed)
    {
        double seconds = elapsed.TotalSeconds;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"prompt {PerSecond(stats.PromptTokens, seconds):N0} · completion {PerSecond(stats.CompletionTokens, seconds):N0} tokens/s · {InFlight(stats)}");
    }

    /// <summary><c>18/20 in flight · requests/min</c>: of how many that may be, and what keeps it from being faster.</summary>
    public static string InFlight(TokenStats stats)
    {
        string limit = stats.ConcurrencyLimit > 0 ? string.Create(CultureInfo.InvariantCulture, $"/{stats.ConcurrencyLimit:N0}") : "";
        string factor = stats.LimitedBy == Bottleneck.None ? "" : $" · {BottleneckText.Name(stats.LimitedBy)}";
        return string.Create(CultureInfo.InvariantCulture, $"{stats.InFlight:N0}{limit} in flight{factor}");
    }

    /// <summary>The time gone and, where it can be known, the time left.</summary>
    public static string Clock(TokenStats stats, long? total, TimeSpan elapsed) => Left(stats, total, elapsed) is { } left
        ? $"{DurationText.Clock(elapsed)} · {DurationText.Clock(left)} left"
        : DurationText.Clock(elapsed);

    /// <summary>All of it in one line.</summary>
    public static string Line(TokenStats stats, long? total, TimeSpan elapsed) => $"{Done(stats, total)} · {Outcomes(stats)} · {Speed(stats, elapsed)} · {Clock(stats, total, elapsed)}";

    /// <summary>The share that is done, 0 to 1.</summary>
    public static double Share(TokenStats stats, long total) => total <= 0 ? 0 : Math.Clamp((double)stats.RequestsCompleted / total, 0, 1);

    /// <summary>How long the rest takes at the speed so far; <see langword="null"/> where nobody can know.</summary>
    public static TimeSpan? Left(TokenStats stats, long? total, TimeSpan elapsed)
    {
        long rest = (total ?? 0) - stats.RequestsCompleted;
        if (rest <= 0 || stats.RequestsCompleted <= 0 || elapsed <= TimeSpan.Zero)
        {
            return null;
        }

        double seconds = rest * (elapsed.TotalSeconds / stats.RequestsCompleted);
        return seconds < TimeSpan.FromDays(100).TotalSeconds ? TimeSpan.FromSeconds(Math.Ceiling(seconds)) : null;
    }

    private static double PerSecond(long count, double seconds) => seconds <= 0 ? 0 : count / seconds;
}
