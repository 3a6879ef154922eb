using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Names the bottleneck of a run, and what to change.</summary>
internal static class BottleneckText
{
    /// <summary>Returns the name shown to users.</summary>
    public static string Name(Bottleneck bottleneck) => bottleneck switch
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

    /// <summary>Returns the name used in events.</summary>
    public static string Id(Bottleneck bottleneck) => bottleneck switch
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

    /// <summary>Converts shares to whole percentages that add up to 100, the largest first, without those of 0.</summary>
    public static IReadOnlyList<(Bottleneck Bottleneck, int Percent)> Percentages(IReadOnlyDictionary<Bottleneck, double> shares)
    {
        List<(Bottleneck Bottleneck, double Exact, int Percent)> rows =
            [.. shares.Select(share => (share.Key, share.Value * 100, (int)(share.Value * 100)))];
        int missing = rows.Count == 0 ? 0 : 100 - rows.Sum(row => row.Percent);
        return
        [
            .. rows.OrderByDescending(row => row.Exact - row.Percent)
                .Select((row, i) => (row.Bottleneck, Percent: row.Percent + (i < missing ? 1 : 0)))
                .Where(row => row.Percent > 0)
                .OrderByDescending(row => row.Percent).ThenBy(row => row.Bottleneck),
        ];
    }

    /// <summary>Names the limits that were learned, of several models the first few with their names; empty if there are none.</summary>
    public static IEnumerable<string> Learned(TokenStats stats, int most)
    {
        bool isOne = stats.LearnedLimits.Count == 1;
        return stats.LearnedLimits.Take(most).Select(limits => (isOne ? "" : TerminalText.Clean(limits.Model, 40) + ": ") + limits);
    }

    /// <summary>Returns the options that spare the next run the learning; <see langword="null"/> if there are none.</summary>
    public static string? ConfigureLearned(TokenStats stats)
    {
        // Options hold for every model: they fit only where one model has limits.
        if (stats.LearnedLimits is not [var limits])
        {
            return null;
        }

        string?[] options =
        [
            limits.InFlight is { } inFlight ? string.Create(CultureInfo.InvariantCulture, $"--concurrency {inFlight}") : null,
            limits.RequestsPerSecond is { } rate ? string.Create(CultureInfo.InvariantCulture, $"--rpm {PerMinute(rate)}") : null,
        ];
        string all = string.Join(" ", options.Where(static option => option is not null));
        return all.Length == 0 ? null : $"To skip the learning next time, use {all}.";
    }

    // Two significant digits, as the estimate is no better.
    private static long PerMinute(double perSecond)
    {
        double perMinute = Math.Max(1, perSecond * 60);
        double unit = Math.Max(1, Math.Pow(10, Math.Floor(Math.Log10(perMinute)) - 1));
        return (long)(Math.Round(perMinute / unit) * unit);
    }

    /// <summary>Returns one sentence on what to change; <see langword="null"/> if there is no bottleneck.</summary>
    public static string? Advice(TokenStats stats)
    {
        if (Percentages(stats.LimitedByShares) is not [(var largest, _), ..])
        {
            return null;
        }

        CultureInfo culture = CultureInfo.InvariantCulture;
        return largest switch
        {
            Bottleneck.RequestsPerMinute when stats.RequestLimit is { } limit => string.Create(
                culture, $"Ask the provider for more than {limit:N0} requests per minute, or combine requests."),
            Bottleneck.RequestsPerMinute => "The provider rejected a higher rate. Ask for a higher limit, and configure it with --rpm.",
            Bottleneck.TokensPerMinute => "Ask for a higher limit, or lower max_completion_tokens: the allowed output counts.",
            Bottleneck.Concurrency when stats.LearnedLimits.Any(static limits => limits.InFlight is not null) =>
                "The provider rejected more requests in flight. Ask for a higher limit.",
            Bottleneck.Concurrency when stats.ConcurrencyLimit < stats.ConcurrencyCeiling => string.Create(
                culture, $"The limit was still rising ({stats.ConcurrencyLimit:N0} at the end). To start higher, use --concurrency N."),
            Bottleneck.Concurrency => string.Create(
                culture, $"Raise --concurrency (it was {stats.ConcurrencyLimit:N0}), or use --concurrency auto."),
            Bottleneck.ProviderLatency => "All remaining requests were in flight. Use a faster model, or shorter responses.",
            Bottleneck.BackOff => "The provider failed or asked for a pause. Use -v to see retries and their reasons.",
            Bottleneck.Input => "The input was read more slowly than requests could be sent.",
            Bottleneck.Budget => "The rest of the budget was reserved. Raise --max-cost, or lower max_completion_tokens.",
            _ => "The output was written more slowly than responses arrived. Use a faster disk or reader.",
        };
    }
}
