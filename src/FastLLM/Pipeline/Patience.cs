namespace FastLLM.Pipeline;

/// <summary>Says whether a decision about suspected rows may wait for rows that are still to come.</summary>
internal enum Patience
{
    /// <summary>No more rows come: it is decided now.</summary>
    None,

    /// <summary>A run whose rows were answered before, in this run or an earlier one, is not stopped.</summary>
    IfAnswered,

    /// <summary>Neither is one of which too few rows have failed to be more than a coincidence.</summary>
    IfFewFailed,
}
