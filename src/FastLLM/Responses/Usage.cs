namespace FastLLM;

/// <summary>Represents the token usage of one response, as the provider counted it.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
public sealed class Usage
{
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

    /// <inheritdoc/>
    public override string ToString() => $"{PromptTokens} prompt + {CompletionTokens} completion = {TotalTokens} tokens";
}
