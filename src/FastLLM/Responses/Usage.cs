namespace FastLLM;

/// <summary>Represents the token usage of one response, as the provider counted it.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
public sealed class Usage
{
    private const long Most = 20_000_000;

    /// <summary>Gets the tokens of the prompt, cached ones included.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Gets the tokens of the completion, reasoning included. 0 for embeddings.</summary>
    public long CompletionTokens { get; init; }

    /// <summary>Gets the total tokens, as sent by the provider, or the sum of prompt and completion.</summary>
    public long TotalTokens { get; init; }

    /// <summary>Gets the tokens of the prompt that the provider read from its prompt cache.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Gets the tokens of the completion that the model spent on reasoning.</summary>
    public long ReasoningTokens { get; init; }

    /// <summary>Gets the tokens of the prompt that the provider wrote to its prompt cache.</summary>
    internal long CacheWrittenTokens { get; init; }

    /// <summary>Gets those of them that it keeps for an hour.</summary>
    internal long HourCacheWrittenTokens { get; init; }

    /// <summary>Gets a value indicating whether a count that matters could not be read.</summary>
    internal bool IsUnclear { get; init; }

    /// <summary>Gets a value indicating whether there is no completion: tokens beyond the prompt are of the prompt too.</summary>
    internal bool IsOfEmbeddings { get; init; }

    /// <summary>Gets a value indicating whether the counts can be what an answer took: a prompt is never empty, and no model takes more
    /// than 20 million tokens.</summary>
    internal bool IsPlausible => !IsUnclear && PromptTokens is >= 0 and <= Most && CompletionTokens is >= 0 and <= Most
        && CachedTokens <= Most && CacheWrittenTokens <= Most && HourCacheWrittenTokens <= Most
        && ReasoningTokens <= Most && TotalTokens <= 2 * Most
        && (PromptTokens > 0 || TotalTokens > CompletionTokens);

    /// <summary>Returns the counts with all tokens of the total in them: some providers count reasoning in the total only.</summary>
    internal Usage WithWholeTotal()
    {
        long beside = (CachedTokens > PromptTokens ? CachedTokens : 0) + (ReasoningTokens > CompletionTokens ? ReasoningTokens : 0);
        long more = TotalTokens - PromptTokens - CompletionTokens - beside;
        return more <= 0 ? this : new Usage
        {
            PromptTokens = PromptTokens + (IsOfEmbeddings ? more : 0),
            CompletionTokens = CompletionTokens + (IsOfEmbeddings ? 0 : more),
            TotalTokens = TotalTokens,
            CachedTokens = CachedTokens,
            CacheWrittenTokens = CacheWrittenTokens,
            HourCacheWrittenTokens = HourCacheWrittenTokens,
            ReasoningTokens = ReasoningTokens,
        };
    }

    /// <inheritdoc/>
    public override string ToString() => $"{PromptTokens} prompt + {CompletionTokens} completion = {TotalTokens} tokens";
}
