using FastLLM.Jobs.Input;

namespace FastLLM.Jobs.Planning;

/// <summary>A row of a job and what is to be done with it: it is kept, or fails as invalid, or is processed.</summary>
/// <param name="Place">Its place in the input.</param>
/// <param name="Id">Its id in the output.</param>
/// <param name="Metadata">The metadata of the row as JSON; empty for none.</param>
/// <param name="Request">The request; <see langword="null"/> for an invalid row.</param>
/// <param name="Error">Why the row is invalid.</param>
/// <param name="Record">The offset of the record that is kept, or <see cref="RowIndex.NoRecord"/>.</param>
/// <param name="IsWithinLimit">Whether the job processes the row (<see cref="JobOptions.Limit"/>).</param>
internal readonly record struct PlannedRow(
    int Place, string Id, ReadOnlyMemory<byte> Metadata, LlmRequest? Request, string? Error, long Record, bool IsWithinLimit)
{
    /// <summary>Gets a value indicating whether the output already holds the row's outcome.</summary>
    public bool IsKept => Record != RowIndex.NoRecord;
}
