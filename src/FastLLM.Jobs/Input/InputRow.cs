namespace FastLLM.Jobs.Input;

/// <summary>Represents one row of an input: a request, or the error of an invalid line.</summary>
/// <param name="Line">The number of its line, from 1.</param>
/// <param name="Id">The row's id, or its line number if it has none.</param>
/// <param name="Request">The request; <see langword="null"/> for an invalid line.</param>
/// <param name="Metadata">The metadata of the row as JSON; empty for none.</param>
/// <param name="Error">The error of an invalid line, and how to correct it.</param>
internal readonly record struct InputRow(long Line, string Id, LlmRequest? Request, ReadOnlyMemory<byte> Metadata, string? Error)
{
    /// <summary>Gets a value indicating whether the id is the row's own, not its line number.</summary>
    public bool HasOwnId { get; init; }
}
