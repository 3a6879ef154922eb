namespace FastLLM;

/// <summary>The tokens that one answer took, as the provider counted them.</summary>
/// <remarks>Immutable, safe to share between threads.</remarks>
public sealed class Usage
{
    /// <summary>Gets the tokens of the prompt, cached ones included.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Gets the tokens of the answer, reasoning included. 0 for embeddings.</summary>
    public long CompletionTokens { get; init; }

    /// <summary>Gets prompt and completion together, as told by the provider or, where it does not tell, added up.</summary>
    public long TotalTokens { get; init; }

    /// <summary>Gets the part of the prompt that the provider read from its own prompt cache.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Gets the part of the answer that the model spent on reasoning.</summary>
    public long ReasoningTokens { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{PromptTokens} prompt + {CompletionTokens} completion = {TotalTokens} tokens";
}
