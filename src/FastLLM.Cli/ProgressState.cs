namespace FastLLM.Cli;

/// <summary>Represents what the live display shows at one moment.</summary>
/// <param name="Stats">The statistics of this run.</param>
/// <param name="Total">The number of rows; <see langword="null"/> if it is unknown.</param>
/// <param name="Kept">The number of rows that earlier runs have completed.</param>
/// <param name="Elapsed">The time since this run started.</param>
internal sealed record ProgressState(TokenStats Stats, long? Total, long Kept, TimeSpan Elapsed)
{
    /// <summary>Gets the rate of the last seconds; <see langword="null"/> if it is unknown.</summary>
    public double? RowsPerSecond { get; init; }

    /// <summary>Gets the last failed row.</summary>
    public string? LastError { get; init; }

    /// <summary>Gets the last answers, the latest last.</summary>
    public IReadOnlyList<(string Id, string Text)> Answers { get; init; } = [];

    /// <summary>Gets the keys that control the run; <see langword="null"/> if there are none.</summary>
    public RunControls? Controls { get; init; }

    /// <summary>Gets a value indicating whether the run stops.</summary>
    public bool IsDraining { get; init; }
}
