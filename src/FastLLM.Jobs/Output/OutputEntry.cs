namespace FastLLM.Jobs.Output;

/// <summary>Represents a line of an output without its answer.</summary>
/// <param name="Offset">The offset of the line.</param>
/// <param name="Length">The number of bytes, including the LF.</param>
/// <param name="CustomId">The row's id; empty for a damaged line.</param>
/// <param name="Key">The request's key, if the line has it: records of FastLLM do, unless the member was omitted.</param>
/// <param name="Succeeded">Whether <c>error</c> is null, the status is 2xx, and there is a body without a top-level <c>error</c>.</param>
/// <param name="IsDamaged">Whether the line is not a record, so that nothing else counts.</param>
internal readonly record struct OutputEntry(long Offset, int Length, string CustomId, RequestKey? Key, bool Succeeded, bool IsDamaged)
{
    /// <summary>Gets the finish reasons of the answer's choices, each once.</summary>
    public IReadOnlyList<string> FinishReasons { get; init; } = [];

    /// <summary>Gets a value indicating whether the command's simulator made the answer up.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>Gets the number of the refresh that was under way when the line was written; 0 for none.</summary>
    public long Refresh { get; init; }

    /// <summary>Gets the cost of the row, if the line states it.</summary>
    public decimal? Cost { get; init; }

    /// <summary>Gets a value indicating whether the row was paid for, or may have been, and the line states no cost or may state too
    /// little: a run without prices, an answer without usage, or sends of unknown outcome in a run without a budget.</summary>
    public bool HasUnstatedCost { get; init; }
}
