using FastLLM.Jobs.Input;

namespace FastLLM.Jobs.Planning;

/// <summary>Represents a row of a job and what to do with it: keep its record, write it as an invalid row, or send it.</summary>
internal readonly record struct PlannedRow(
    int Place, string Id, ReadOnlyMemory<byte> Metadata, LlmRequest? Request, string? Error, long Record, bool IsWithinLimit)
{
    /// <summary>Gets a value indicating whether the output already holds the row's outcome.</summary>
    public bool IsKept => Record != RowIndex.NoRecord;
}
