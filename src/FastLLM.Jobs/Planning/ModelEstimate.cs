namespace FastLLM;

/// <summary>Represents what a job sends to one model, estimated.</summary>
public sealed record ModelEstimate
{
    /// <summary>Gets the name of the model; empty for rows without one.</summary>
    public required string Model { get; init; }

    /// <summary>Gets the number of requests to send.</summary>
    public long Requests { get; init; }

    /// <summary>Gets the number of earlier answers, of the output and the cache, that the estimate is based on; 0 means assumed
    /// values.</summary>
    public long LearntFrom { get; init; }

    /// <summary>Gets the vocabulary by which prompts were counted, such as <c>o200k_base</c>; <see langword="null"/> if it is not
    /// known.</summary>
    public string? Vocabulary { get; init; }

    /// <summary>Gets the number of requests whose prompts were counted by the vocabulary; they are a sample of the others.</summary>
    public long Counted { get; init; }

    /// <summary>Gets the bytes of text that count as one token.</summary>
    public double BytesPerToken { get; init; }

    /// <summary>Gets the tokens of an answer, unless the request allows fewer.</summary>
    public double TokensPerAnswer { get; init; }

    /// <summary>Gets the tokens of all prompts: lowest, likely and highest.</summary>
    public (long Low, long Likely, long High) PromptTokens { get; init; }

    /// <summary>Gets the tokens of all answers: lowest, likely, and the highest that the requests allow; <see langword="null"/> without a
    /// limit.</summary>
    public (long Low, long Likely, long? High) CompletionTokens { get; init; }

    /// <summary>Gets the price of the model, if it is known.</summary>
    public ModelPrice? Price { get; init; }

    /// <summary>Gets the lowest possible cost; <see langword="null"/> if the price is unknown.</summary>
    public decimal? LowCost => Cost(PromptTokens.Low, CompletionTokens.Low);

    /// <summary>Gets the likely cost; <see langword="null"/> if the price is unknown.</summary>
    public decimal? LikelyCost => Cost(PromptTokens.Likely, CompletionTokens.Likely);

    /// <summary>Gets the highest possible cost; <see langword="null"/> if the price or the limit of the answers is unknown.</summary>
    public decimal? HighCost => CompletionTokens.High is { } output ? Cost(PromptTokens.High, output) : null;

    private decimal? Cost(long prompt, long completion) =>
        Price is { } price
        ? (Requests * price.PerRequest) + (prompt * price.Input) + (completion * Math.Max(price.Output, price.Reasoning ?? 0))
        : null;
}
