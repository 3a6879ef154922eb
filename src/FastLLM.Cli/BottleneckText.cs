using System.Globalization;

namespace FastLLM.Cli;

/// <summary>The words for what limits a run, and what one can do about it.</summary>
internal static class BottleneckText
{
    /// <summary>As it stands in a line of progress.</summary>
    public static string Name(Bottleneck factor) => factor switch
    {
        Bottleneck.RequestsPerMinute => "requests/min",
        Bottleneck.TokensPerMinute => "tokens/min",
        Bottleneck.Concurrency => "concurrency",
        Bottleneck.ProviderLatency => "provider latency",
        Bottleneck.BackOff => "back-off",
        Bottleneck.Input => "input",
        Bottleneck.Output => "output",
        Bottleneck.Budget => "budget",
        _ => "nothing",
    };

    /// <summary>As it stands in an event.</summary>
    public static string Id(Bottleneck factor) => factor switch
    {
        Bottleneck.RequestsPerMinute => "requests_per_minute",
        Bottleneck.TokensPerMinute => "tokens_per_minute",
        Bottleneck.Concurrency => "concurrency",
        Bottleneck.ProviderLatency => "provider_latency",
        Bottleneck.BackOff => "back_off",
        Bottleneck.Input => "input",
        Bottleneck.Output => "output",
        Bottleneck.Budget => "budget",
        _ => "none",
    };

    /// <summary>Whole percentages that add up to 100, the largest first; those that would be 0 are left out.</summary>
    public static IReadOnlyList<(Bottleneck Factor, int Percent)> Percentages(IReadOnlyDictionary<Bottleneck, double> shares)
    {
        List<(Bottleneck Factor, double Exact, int Percent)> rows = [.. shares.Select(share => (share.Key, share.Value * 100, (int)(share.Value * 100)))];
        int missing = rows.Count == 0 ? 0 : 100 - rows.Sum(row => row.Percent);
        return
        [
            .. rows.OrderByDescending(row => row.Exact - row.Percent)
                .Select((row, i) => (row.Factor, Percent: row.Percent + (i < missing ? 1 : 0)))
                .Where(row => row.Percent > 0)
                .OrderByDescending(row => row.Percent).ThenBy(row => row.Factor),
        ];
    }

    /// <summary>One line on what to change; <see langword="null"/> where there is nothing to say.</summary>
    public static string? Advice(TokenStats stats)
    {
        if (Percentages(stats.LimitedByShares) is not [(var most, _), ..])
        {
            return null;
        }

        string what = most switch
        {
            Bottleneck.RequestsPerMinute when stats.RequestLimit is { } told => string.Create(
                CultureInfo.InvariantCulture, $"ask the provider for more than {told:N0} requests a minute, or put more into each request."),
            Bottleneck.RequestsPerMinute => "the provider refused more. Ask for a higher limit, and tell it with --rpm.",
            Bottleneck.TokensPerMinute => "ask for a higher limit, or allow less output (max_completion_tokens): what is allowed counts.",
            Bottleneck.Concurrency when stats.ConcurrencyLimit < stats.ConcurrencyCeiling => string.Create(
                CultureInfo.InvariantCulture, $"how many the provider takes was still being learned ({stats.ConcurrencyLimit:N0} at the end). To begin with more: --concurrency N."),
            Bottleneck.Concurrency => string.Create(
                CultureInfo.InvariantCulture, $"raise --concurrency (it was {stats.ConcurrencyLimit:N0}), or give --concurrency auto."),
            Bottleneck.ProviderLatency => "all that was left was in flight. A faster model, or shorter answers.",
            Bottleneck.BackOff => "the provider failed or asked to wait. -v says what is retried, and why.",
            Bottleneck.Input => "rows did not come as fast as they could be sent.",
            Bottleneck.Budget => "what was left was set aside for what was in flight. A higher --max-cost, or less output allowed (max_completion_tokens).",
            _ => "outcomes were not written as fast as they came. A faster disk, or a faster reader.",
        };
        return $"mostly {Name(most)}: {what}";
    }
}
