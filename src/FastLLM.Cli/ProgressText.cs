using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Formats progress, for the live display and for plain lines.</summary>
internal static class ProgressText
{
    /// <summary>Formats the count, such as <c>1,234/5,000 (24%)</c>, or <c>1,234 done</c> if the total is unknown.</summary>
    public static string Done(TokenStats stats, long? total, long kept = 0)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        return total is > 0 and var all
            // Rounded down, so that 100% means that all are done.
            ? string.Create(culture, $"{kept + stats.RequestsCompleted:N0}/{all:N0} ({Math.Floor(Share(stats, all, kept) * 100)}%)")
            : string.Create(culture, $"{kept + stats.RequestsCompleted:N0} done");
    }

    /// <summary>Formats the outcomes, such as <c>1,230 ok · 4 failed · 200 cached · 12 shared</c>.</summary>
    public static string Outcomes(TokenStats stats, long kept = 0) => string.Create(
        CultureInfo.InvariantCulture,
        $"{stats.RequestsCompleted - stats.Failed:N0} ok · {stats.Failed:N0} failed · {stats.CacheHits:N0} cached · "
        + $"{stats.Shared:N0} shared{(kept > 0 ? $" · {kept:N0} kept" : "")}");

    /// <summary>Formats tokens per second, requests in flight and the bottleneck.</summary>
    public static string Speed(TokenStats stats, TimeSpan elapsed)
    {
        double prompt = PerSecond(stats.PromptTokens, elapsed.TotalSeconds);
        double completion = PerSecond(stats.CompletionTokens, elapsed.TotalSeconds);
        return string.Create(CultureInfo.InvariantCulture, $"prompt {prompt:N0} · completion {completion:N0} tokens/s · {InFlight(stats)}");
    }

    /// <summary>Formats requests in flight, their limit, the bottleneck and what was learned of the provider, such as
    /// <c>18/20 in flight · concurrency · provider: about 20 in flight</c>.</summary>
    public static string InFlight(TokenStats stats)
    {
        string limit = stats.ConcurrencyLimit > 0 ? string.Create(CultureInfo.InvariantCulture, $"/{stats.ConcurrencyLimit:N0}") : "";
        string bottleneck = stats.LimitedBy == Bottleneck.None ? "" : $" · {BottleneckText.Name(stats.LimitedBy)}";
        string learned = string.Concat(BottleneckText.Learned(stats, most: 1).Select(static limits => $" · provider: {limits}"));
        return string.Create(CultureInfo.InvariantCulture, $"{stats.InFlight:N0}{limit} in flight{bottleneck}{learned}");
    }

    /// <summary>Formats the elapsed time and, if it can be estimated, the remaining time.</summary>
    public static string Clock(TokenStats stats, long? total, TimeSpan elapsed, long kept = 0) =>
        Left(stats, total - kept, elapsed) is { } left
        ? $"{DurationText.Clock(elapsed)} · {DurationText.Clock(left)} left"
        : DurationText.Clock(elapsed);

    /// <summary>Formats a rate per second: <c>0.43</c>, <c>12.5</c> or <c>1,250</c>.</summary>
    public static string Rate(double perSecond) => perSecond.ToString(
        perSecond >= 100 ? "N0" : perSecond >= 1 ? "N1" : "0.00", CultureInfo.InvariantCulture);

    /// <summary>Formats how many requests in flight a run waits for that stops.</summary>
    public static string Drain(TokenStats stats)
    {
        string what = stats.InFlight > 0
            ? string.Create(CultureInfo.InvariantCulture, $"waiting for {stats.InFlight:N0} in flight") : "finishing the output";
        return $"Stopping: {what}. Press Ctrl-C again to exit at once.";
    }

    /// <summary>Estimates the cost of this run from its cost so far; <see langword="null"/> if that is not possible.</summary>
    public static decimal? Forecast(TokenStats stats, long? total, long kept) =>
        total - kept is { } rows && stats.RequestsCompleted > 0 && rows > stats.RequestsCompleted
            ? stats.Cost * rows / stats.RequestsCompleted
            : null;

    /// <summary>Formats everything in one line.</summary>
    /// <param name="stats">The statistics of this run.</param>
    /// <param name="total">The number of rows; <see langword="null"/> if it is unknown.</param>
    /// <param name="elapsed">The time since this run started.</param>
    /// <param name="kept">The number of rows that earlier runs have completed.</param>
    public static string Line(TokenStats stats, long? total, TimeSpan elapsed, long kept = 0) =>
        $"{Done(stats, total, kept)} · {Outcomes(stats, kept)} · {RateAndCost(stats, total, elapsed, kept)}{Speed(stats, elapsed)} · "
        + Clock(stats, total, elapsed, kept);

    /// <summary>Returns the completed share, from 0 to 1.</summary>
    public static double Share(TokenStats stats, long total, long kept = 0) =>
        total <= 0 ? 0 : Math.Clamp((double)(kept + stats.RequestsCompleted) / total, 0, 1);

    /// <summary>Estimates the remaining time from the rate so far; <see langword="null"/> if that is not possible, or while all requests
    /// wait for the provider.</summary>
    public static TimeSpan? Left(TokenStats stats, long? total, TimeSpan elapsed)
    {
        long rest = (total ?? 0) - stats.RequestsCompleted;
        if (rest <= 0 || stats.RequestsCompleted <= 0 || elapsed <= TimeSpan.Zero || stats.IsWaiting)
        {
            return null;
        }

        double seconds = rest * (elapsed.TotalSeconds / stats.RequestsCompleted);
        return seconds < TimeSpan.FromDays(100).TotalSeconds ? TimeSpan.FromSeconds(Math.Ceiling(seconds)) : null;
    }

    private static string RateAndCost(TokenStats stats, long? total, TimeSpan elapsed, long kept)
    {
        string rate = stats.RequestsCompleted > 0 && elapsed > TimeSpan.Zero
            ? $"{Rate(stats.RequestsCompleted / elapsed.TotalSeconds)} rows/s · " : "";
        string all = Forecast(stats, total, kept) is { } forecast ? $" of about {CostText.Dollars(forecast)}" : "";
        return stats.Cost > 0 ? $"{rate}{CostText.Dollars(stats.Cost)}{all} · " : rate;
    }

    private static double PerSecond(long count, double seconds) => seconds <= 0 ? 0 : count / seconds;
}
