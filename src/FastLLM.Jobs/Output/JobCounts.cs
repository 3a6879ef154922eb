namespace FastLLM.Jobs.Output;

/// <summary>Counts the outcomes that a run writes. Not safe for concurrent use.</summary>
internal sealed class JobCounts
{
    private readonly Dictionary<FailureKind, (long Count, string Example)> _failures = [];
    private readonly Dictionary<string, long> _finishReasons = new(StringComparer.Ordinal);

    public long Answered { get; private set; }

    public long Failed { get; private set; }

    public IReadOnlyDictionary<FailureKind, (long Count, string Example)> Failures => _failures;

    public IReadOnlyDictionary<string, long> FinishReasons => _finishReasons;

    public void AddAnswer(LlmResponse response)
    {
        Answered++;
        if (response is ChatCompletion { FinishReason: { } reason })
        {
            _finishReasons[reason] = _finishReasons.GetValueOrDefault(reason) + 1;
        }
    }

    public void AddFailure(LlmException error)
    {
        Failed++;
        (long count, string? example) = _failures.GetValueOrDefault(error.Kind);
        _failures[error.Kind] = (count + 1, example ?? error.Message);
    }
}
