namespace FastLLM;

/// <summary>What a run would ask of one model.</summary>
public sealed record ModelEstimate
{
    /// <summary>Gets its name; empty where rows name none.</summary>
    public required string Model { get; init; }

    /// <summary>Gets how many requests would be sent.</summary>
    public long Requests { get; init; }

    /// <summary>Gets how many earlier answers (of the output, of the cache) the estimate was learnt from; with 0 it is assumed.</summary>
    public long LearntFrom { get; init; }

    /// <summary>Gets how many bytes of text are taken for one token.</summary>
    public double BytesPerToken { get; init; }

    /// <summary>Gets how many tokens an answer is taken to have, where the request does not allow fewer.</summary>
    public double TokensPerAnswer { get; init; }

    /// <summary>Gets the tokens of all prompts: the least, what is thought, the most.</summary>
    public (long Low, long Likely, long High) PromptTokens { get; init; }

    /// <summary>Gets the tokens of all answers: the least, what is thought, and the most that is allowed, <see langword="null"/> where nothing limits it.</summary>
    public (long Low, long Likely, long? High) CompletionTokens { get; init; }

    /// <summary>Gets its price, where known.</summary>
    public ModelPrice? Price { get; init; }

    /// <summary>Gets the least that it may cost; <see langword="null"/> where its price is not known.</summary>
    public decimal? LowCost => Cost(PromptTokens.Low, CompletionTokens.Low);

    /// <summary>Gets what it is thought to cost; <see langword="null"/> where its price is not known.</summary>
    public decimal? LikelyCost => Cost(PromptTokens.Likely, CompletionTokens.Likely);

    /// <summary>Gets the most that it may cost; <see langword="null"/> where its price, or a limit of its answers, is not known.</summary>
    public decimal? HighCost => CompletionTokens.High is { } output ? Cost(PromptTokens.High, output) : null;

    private decimal? Cost(long prompt, long completion) => Price is { } price ? (prompt * price.Input) + (completion * Math.Max(price.Output, price.Reasoning ?? 0)) : null;
}
