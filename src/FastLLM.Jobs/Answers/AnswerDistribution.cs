namespace FastLLM;

/// <summary>Represents how the answers of a job are distributed: the values of fields, finish reasons and lengths.</summary>
public sealed record AnswerDistribution
{
    /// <summary>Gets the number of answers.</summary>
    public long Answers { get; init; }

    /// <summary>Gets the fields with few values (labels, enums, truth values), in the order of the answers.</summary>
    public IReadOnlyList<FieldDistribution> Fields { get; init; } = [];

    /// <summary>Gets the number of answers for each finish reason.</summary>
    public IReadOnlyDictionary<string, long> FinishReasons { get; init; } = new Dictionary<string, long>();

    /// <summary>Gets the lengths of the answers; <see langword="null"/> without answers.</summary>
    public AnswerLengths? Lengths { get; init; }
}

/// <summary>Represents how often a field of the answers has each value.</summary>
/// <param name="Name">The name of the field.</param>
/// <param name="Values">The number of answers for each value, the most frequent first.</param>
public sealed record FieldDistribution(string Name, IReadOnlyList<KeyValuePair<string, long>> Values);

/// <summary>Represents the lengths of answers in characters, to within 6 %.</summary>
/// <param name="Min">The shortest.</param>
/// <param name="Median">The median.</param>
/// <param name="P95">The length that 95 % of the answers do not exceed.</param>
/// <param name="Max">The longest.</param>
public sealed record AnswerLengths(long Min, long Median, long P95, long Max);
