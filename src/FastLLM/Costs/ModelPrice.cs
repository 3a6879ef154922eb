namespace FastLLM;

/// <summary>What one model costs, in US dollars a token, exactly as the table has it.</summary>
/// <remarks>Immutable, safe to share between threads.</remarks>
public sealed record ModelPrice
{
    /// <summary>Gets the price of a token of the prompt.</summary>
    public required decimal Input { get; init; }

    /// <summary>Gets the price of a token of the answer; 0 for embeddings.</summary>
    public required decimal Output { get; init; }

    /// <summary>Gets the price of a prompt token that the provider read from its own prompt cache; <see langword="null"/> where it is that
    /// of the others.</summary>
    public decimal? CachedInput { get; init; }

    /// <summary>Gets the price of an answer token spent on reasoning; <see langword="null"/> where it is that of the others.</summary>
    public decimal? Reasoning { get; init; }

    /// <summary>Gets the maximum number of output tokens of the model; <see langword="null"/> if unknown.</summary>
    public long? MaxOutputTokens { get; init; }

    /// <summary>Gets the price of a prompt token that the provider writes to its cache; <see langword="null"/> where it is that of the
    /// others.</summary>
    internal decimal? CacheWrite { get; init; }

    /// <summary>Gets that price if the provider keeps it for an hour; <see langword="null"/> where it is the same.</summary>
    internal decimal? HourCacheWrite { get; init; }

    /// <summary>Gets the highest price of a prompt token: of a long prompt, or of a write to the provider's cache.</summary>
    internal decimal HighestInput { get; init; }

    /// <summary>Gets the highest price of an output token.</summary>
    internal decimal HighestOutput { get; init; }

    /// <summary>Gets the price of a request beside that of its tokens.</summary>
    internal decimal PerRequest { get; init; }

    /// <summary>Gets the key of a price that no count of tokens covers; <see langword="null"/> if there is none.</summary>
    internal string? OtherPrice { get; init; }

    /// <summary>Gets the key of such a price that only requests with pictures pay; <see langword="null"/> if there is none.</summary>
    internal string? PicturePrice { get; init; }

    /// <summary>Gets the prices of long prompts, the shortest first: each holds for all tokens of a request whose prompt is longer than
    /// <c>Above</c>.</summary>
    internal IReadOnlyList<PriceTier> Tiers { get; init; } = [];

    /// <summary>Returns the cost of an answer. Cached and reasoning tokens, which are part of prompt and output, have their own
    /// prices.</summary>
    /// <param name="usage">The tokens that it took.</param>
    /// <returns>US dollars.</returns>
    public decimal Cost(Usage usage)
    {
        ArgumentNullException.ThrowIfNull(usage);
        (decimal input, decimal output, decimal cachedInput) = (Input, Output, CachedInput ?? Input);
        (long fresh, long cached) = Parts(usage.PromptTokens, usage.CachedTokens);
        (long text, long reasoning) = Parts(usage.CompletionTokens, usage.ReasoningTokens);
        foreach (PriceTier tier in Tiers)
        {
            if (fresh + cached > tier.Above)
            {
                (input, output, cachedInput) = (tier.Input ?? input, tier.Output ?? output, tier.CachedInput ?? tier.Input ?? cachedInput);
            }
        }

        return PerRequest + (fresh * input) + (cached * cachedInput) + Writes(usage, input)
            + (text * output) + (reasoning * (Reasoning ?? output));
    }

    /// <summary>Returns the highest possible cost of a request.</summary>
    /// <param name="input">The maximum number of prompt tokens.</param>
    /// <param name="output">The maximum number of output tokens.</param>
    internal decimal MaxCost(long input, long output) => PerRequest + (input * HighestInput) + (output * HighestOutput);

    // What writes cost beside the price of the prompt, which they are part of.
    private decimal Writes(Usage usage, decimal input)
    {
        long hour = usage.HourCacheWrittenTokens;
        long written = Math.Max(usage.CacheWrittenTokens, hour);
        decimal beside = written > usage.PromptTokens ? written * input : 0;
        decimal write = Math.Max((CacheWrite ?? input) - input, 0);
        return beside + ((written - hour) * write) + (hour * Math.Max((HourCacheWrite ?? CacheWrite ?? input) - input, 0));
    }

    // A provider that states a larger part than the whole counts the part beside it.
    private static (long Own, long Part) Parts(long whole, long part)
    {
        (whole, part) = (Math.Max(0, whole), Math.Max(0, part));
        return (part > whole ? whole : whole - part, part);
    }
}

/// <summary>Represents the prices above a prompt length; <see langword="null"/> keeps the price of the tier below.</summary>
internal sealed record PriceTier(long Above, decimal? Input, decimal? Output, decimal? CachedInput);
