namespace FastLLM;

/// <summary>What a check of an input file found.</summary>
public sealed record InputReport
{
    /// <summary>Gets the number of rows, wrong ones included.</summary>
    public long Rows { get; init; }

    /// <summary>Gets the number of different questions.</summary>
    public long Distinct { get; init; }

    /// <summary>Gets the number of mistakes.</summary>
    public long ErrorCount { get; init; }

    /// <summary>Gets the first mistakes (100 at most) with their lines, counted from 1.</summary>
    public IReadOnlyList<(long Line, string Error)> Errors { get; init; } = [];

    /// <summary>Gets what providers' batch APIs would refuse, though a run does not mind.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
