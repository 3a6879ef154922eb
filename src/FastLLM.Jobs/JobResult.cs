using FastLLM.Diagnostics;
using FastLLM.Jobs.Running;

namespace FastLLM;

/// <summary>Represents how a run of a <see cref="Job"/> ended.</summary>
public sealed record JobResult
{
    /// <summary>Gets the number of rows of the job, counting each sample.</summary>
    public long Rows { get; init; }

    /// <summary>Gets the number of rows that were finished in the output before the run.</summary>
    public long Kept { get; init; }

    /// <summary>Gets the number of rows that were answered in this run.</summary>
    public long Answered { get; init; }

    /// <summary>Gets the number of rows that are failed in the output, including those of earlier runs. A failed row that was to be sent
    /// again (<see cref="JobOptions.RetryFailed"/>) counts until it has a new outcome.</summary>
    public long Failed { get; init; }

    /// <summary>Gets the number of rows for which the run was left without an outcome: rows without a record in the output, with which a
    /// later run resumes, and failed rows that were to be sent again.</summary>
    public long Pending { get; init; }

    /// <summary>Gets the number of rows whose request an earlier row has too.</summary>
    public long Equal { get; init; }

    /// <summary>Gets this run's failures by kind, each with the first message.</summary>
    public IReadOnlyDictionary<FailureKind, (long Count, string Example)> Failures { get; init; } =
        new Dictionary<FailureKind, (long, string)>();

    /// <summary>Gets this run's answers by finish reason: <c>stop</c>, <c>length</c> …</summary>
    public IReadOnlyDictionary<string, long> FinishReasons { get; init; } = new Dictionary<string, long>();

    /// <summary>Gets how the answers in the output are distributed, if the job has a form (<see cref="JobOptions.Answers"/>). Into a pipe,
    /// the answers of this run.</summary>
    public AnswerDistribution? Distribution { get; init; }

    /// <summary>Gets the sends and tokens of this run. Its counts of rows are those of the records that the run has written.</summary>
    public TokenStats Stats { get; init; } = new();

    /// <summary>Gets the cost of this run in US dollars, as far as prices are known. With a budget, an aborted run includes the highest
    /// possible cost of what was in flight.</summary>
    public decimal Cost { get; init; }

    /// <summary>Gets the cost of all runs that built the output, including this one. Into a pipe, the cost of this run.</summary>
    public decimal JobCost { get; init; }

    /// <summary>Gets the budget of the job, if there is one.</summary>
    public decimal? Budget { get; init; }

    /// <summary>Gets the file with the outcomes: the output or, if a table was not made, its log. <see langword="null"/> for standard
    /// output, and if no file was made.</summary>
    public string? OutputFile { get; init; }

    /// <summary>Gets a value indicating whether <see cref="OutputFile"/> is a table or a list that lacks the outcomes of pending
    /// rows.</summary>
    public bool IsPartial { get; init; }

    /// <summary>Gets the reason why the run stopped early; <see langword="null"/> if it did not.</summary>
    public LlmRunException? Stopped { get; init; }

    /// <summary>Gets a value indicating whether the run was interrupted.</summary>
    public bool Interrupted { get; init; }

    /// <summary>Gets a value indicating whether the run got an outcome for every row, and wrote it.</summary>
    internal bool IsDone => this is { Pending: 0, Stopped: null, Interrupted: false };

    /// <summary>Gets the output as the run has finished it, and its full path; <see langword="null"/> if it is not known.</summary>
    internal (string Path, FileStatus Status)? Finished { get; init; }

    /// <summary>Returns the result of a run whose output is no longer as the run has finished it as that of a stopped one.</summary>
    /// <remarks>Cheap, so that it can be called once more just before the result is reported.</remarks>
    internal JobResult CheckOutput() =>
        !IsDone || Finished is not { } finished || finished.Status.IsUnchangedAt(finished.Path) ? this
            : StoppedByOutput($"Something else changed {OutputFile} as the job ended, so that rows of it may be lost.");

    /// <summary>Returns the result of a run together with its first part: a preview sends rows of the run before the others.</summary>
    internal JobResult After(JobResult first) => this with
    {
        Kept = Math.Min(Kept, first.Kept),
        Answered = first.Answered + Answered,
        Failures = Merged(first.Failures, Failures, static (one, other) => (one.Count + other.Count, one.Example)),
        FinishReasons = Merged(first.FinishReasons, FinishReasons, static (one, other) => one + other),
        Cost = first.Cost + Cost,
        Stats = Stats.After(first.Stats),
    };

    private static Dictionary<TKey, T> Merged<TKey, T>(IReadOnlyDictionary<TKey, T> first, IReadOnlyDictionary<TKey, T> second, Func<T, T, T> add)
        where TKey : notnull
    {
        var merged = new Dictionary<TKey, T>(first);
        foreach ((TKey key, T value) in second)
        {
            merged[key] = merged.TryGetValue(key, out T? known) ? add(known, value) : value;
        }

        return merged;
    }

    /// <summary>Returns the result of a run that a fault of the output has stopped.</summary>
    internal JobResult StoppedByOutput(string message, Exception? fault = null) =>
        this with { Stopped = RowProcessor.StoppedBy(FailureKind.Output, message, fault) };
}
