namespace FastLLM.Jobs.Output;

/// <summary>What a line of OUTPUT says, without its answer.</summary>
/// <param name="Offset">Where it begins.</param>
/// <param name="Length">How many bytes it has, counting its LF.</param>
/// <param name="CustomId">The row's id; empty for a damaged line.</param>
/// <param name="Key">The request's key, if the line has it: FastLLM's own do unless it was switched off.</param>
/// <param name="Succeeded">Whether <c>error</c> is null, the status is 2xx, and there is a body without a top-level <c>error</c>.</param>
/// <param name="IsDamaged">Whether the line is no record, so that nothing else counts.</param>
internal readonly record struct OutputEntry(long Offset, int Length, string CustomId, RequestKey? Key, bool Succeeded, bool IsDamaged)
{
    /// <summary>Why the answer's choices ended, each reason once; empty where there is none.</summary>
    public IReadOnlyList<string> FinishReasons { get; init; } = [];

    /// <summary>What the row cost, where the line says it.</summary>
    public decimal? Cost { get; init; }
}
