namespace FastLLM.Pipeline;

/// <summary>Represents what a run may bring along beyond its requests; a job does.</summary>
internal sealed record RunSettings
{
    /// <summary>Gets how many requests there are, for the progress; <see langword="null"/> if unknown.</summary>
    public long? Total { get; init; }

    /// <summary>Gets the token that ends the run without loss: nothing more is sent, and what is in flight is awaited.</summary>
    public CancellationToken Drain { get; init; }

    /// <summary>Gets what earlier runs of the same job cost, in US dollars. It counts against the budget.</summary>
    public decimal EarlierCost { get; init; }

    /// <summary>Gets the callback that receives a new bound of the unrecorded costs before a send could exceed the last one.</summary>
    public Action<decimal>? AnnounceInFlight { get; init; }

    /// <summary>Gets the answers that the consumer records; <see langword="null"/> if it cannot find them again.</summary>
    public IRecordedAnswers? Recorded { get; init; }

    /// <summary>Gets a value indicating whether earlier runs of the job were answered.</summary>
    public bool WasAnswered { get; init; }

    /// <summary>Gets the check that answers must pass, if there is one.</summary>
    public AnswerCheck? Check { get; init; }

    /// <summary>Gets a value indicating whether a failure that may be the whole run's is held back until it is known whether it
    /// is.</summary>
    public bool HoldsSuspects { get; init; }

    /// <summary>Gets a value indicating whether the source of the rows waits for no outcome: the next rows may come after a
    /// pause.</summary>
    public bool IsFedFreely { get; init; }
}
