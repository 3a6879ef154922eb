using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Input;

/// <summary>Represents one row of an input: a request, or the error of an invalid line.</summary>
internal readonly record struct InputRow(long Line, string Id, LlmRequest? Request, ReadOnlyMemory<byte> Metadata, string? Error)
{
    /// <summary>Gets a value indicating whether the id is the row's own, not its line number.</summary>
    public bool HasOwnId { get; init; }

    /// <summary>Gets the row's columns: its metadata, and its cells if the input is a table.</summary>
    public RowColumns Columns { get => field.Cells is null ? new RowColumns(Metadata) : field; init; }
}
