using FastLLM.Jobs.Answers;

namespace FastLLM.Jobs.Output;

/// <summary>Counts the outcomes of rows that were written.</summary>
internal sealed class OutcomeCounts(JobOptions options)
{
    private readonly Dictionary<FailureKind, (long Count, string Example)> _failures = [];
    private readonly Dictionary<string, long> _finishReasons = new(StringComparer.Ordinal);

    /// <summary>Gets the number of answers.</summary>
    public long Answered { get; private set; }

    /// <summary>Gets the number of failures.</summary>
    public long Failed { get; private set; }

    /// <summary>Gets the failures by kind, each with the first message.</summary>
    public IReadOnlyDictionary<FailureKind, (long Count, string Example)> Failures => _failures;

    /// <summary>Gets the answers by finish reason.</summary>
    public IReadOnlyDictionary<string, long> FinishReasons => _finishReasons;

    /// <summary>Gets the tally of the answers, if the job has a form.</summary>
    public AnswerTally? Tally { get; } = options.Answers is { } form ? new AnswerTally(form) : null;

    /// <summary>Counts an answer.</summary>
    /// <param name="finishReason">Why it ended, if known.</param>
    public void AddAnswer(string? finishReason)
    {
        Answered++;
        if (finishReason is not null)
        {
            _finishReasons[finishReason] = _finishReasons.GetValueOrDefault(finishReason) + 1;
        }
    }

    /// <summary>Counts a failure, and reports it.</summary>
    /// <param name="id">The id of the row.</param>
    /// <param name="error">The failure.</param>
    public void AddFailure(string id, LlmException error)
    {
        Failed++;
        (long count, string? example) = _failures.GetValueOrDefault(error.Kind);
        _failures[error.Kind] = (count + 1, example ?? error.Message);
        options.OnRowFailed?.Invoke(id, error);
    }
}
