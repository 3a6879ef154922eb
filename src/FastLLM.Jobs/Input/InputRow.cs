namespace FastLLM.Jobs.Input;

/// <summary>One row of an input: a request, or what is wrong with the line.</summary>
/// <param name="Line">The number of its line, from 1.</param>
/// <param name="Id">The row's id; its line number where it has none of its own.</param>
/// <param name="Request">What is asked; <see langword="null"/> where the line is wrong.</param>
/// <param name="Metadata">What the row carries along, as JSON; empty for nothing.</param>
/// <param name="Error">What is wrong with the line, and what to do.</param>
internal readonly record struct InputRow(long Line, string Id, LlmRequest? Request, ReadOnlyMemory<byte> Metadata, string? Error)
{
    /// <summary>Whether the id is the row's own, not its line number.</summary>
    public bool HasOwnId { get; init; }
}
