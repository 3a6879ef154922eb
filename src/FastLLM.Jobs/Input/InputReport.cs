namespace FastLLM;

/// <summary>Represents the result of checking an input.</summary>
public sealed record InputReport
{
    /// <summary>Gets the number of rows, including invalid ones.</summary>
    public long Rows { get; init; }

    /// <summary>Gets the number of different requests.</summary>
    public long Distinct { get; init; }

    /// <summary>Gets the number of errors.</summary>
    public long ErrorCount { get; init; }

    /// <summary>Gets the first errors (at most 100) with their lines, counted from 1.</summary>
    public IReadOnlyList<(long Line, string Error)> Errors { get; init; } = [];

    /// <summary>Gets what the batch APIs of providers would reject, although a run accepts it.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
