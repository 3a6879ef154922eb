namespace FastLLM;

/// <summary>How a <see cref="Job"/> ended.</summary>
public sealed record JobResult
{
    /// <summary>Gets the number of rows of the input, samples counted each.</summary>
    public long Rows { get; init; }

    /// <summary>Gets the rows that stood finished in the output before the run.</summary>
    public long Kept { get; init; }

    /// <summary>Gets the rows that were answered in this run.</summary>
    public long Answered { get; init; }

    /// <summary>Gets the rows that stand failed in the output now, earlier ones included.</summary>
    public long Failed { get; init; }

    /// <summary>Gets the rows that have no record in the output: a later run goes on with them.</summary>
    public long Pending { get; init; }

    /// <summary>Gets the rows whose question another row of the input asks too.</summary>
    public long Equal { get; init; }

    /// <summary>Gets this run's failures by kind, with the message of the first of each.</summary>
    public IReadOnlyDictionary<FailureKind, (long Count, string Example)> Failures { get; init; } = new Dictionary<FailureKind, (long, string)>();

    /// <summary>Gets this run's answers by why they ended: <c>stop</c>, <c>length</c> …</summary>
    public IReadOnlyDictionary<string, long> FinishReasons { get; init; } = new Dictionary<string, long>();

    /// <summary>Gets the counts of sends and tokens of this run.</summary>
    public TokenStats Stats { get; init; } = new();

    /// <summary>Gets what this run cost, in US dollars, as far as prices are known; after an abort with what was in flight, at its worst case, where there is a budget.</summary>
    public decimal Cost { get; init; }

    /// <summary>Gets what all runs that built the output have cost together, this one included. Into a pipe, that of this run.</summary>
    public decimal JobCost { get; init; }

    /// <summary>Gets the budget of the job, where there is one.</summary>
    public decimal? Budget { get; init; }

    /// <summary>Gets why the run could not go on; <see langword="null"/> where it could.</summary>
    public LlmRunException? Stopped { get; init; }

    /// <summary>Gets a value indicating whether the run was interrupted.</summary>
    public bool Interrupted { get; init; }
}
