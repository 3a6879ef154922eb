namespace FastLLM.Cli;

/// <summary>What failed and why: rows by kind, with one message as an example. Safe for concurrent use.</summary>
internal sealed class FailureGroups
{
    private readonly Lock _gate = new();
    private readonly Dictionary<FailureKind, (long Count, string Example)> _groups = [];

    /// <summary>Counts a failed row.</summary>
    /// <param name="kind">Why it failed.</param>
    /// <param name="message">What was said about it; the first of each kind is kept.</param>
    /// <param name="count">How many rows.</param>
    public void Add(FailureKind kind, string message, long count = 1)
    {
        lock (_gate)
        {
            _groups[kind] = _groups.TryGetValue(kind, out (long Count, string Example) group) ? (group.Count + count, group.Example) : (count, message);
        }
    }

    /// <summary>Counts a failed row.</summary>
    public void Add(LlmException failure) => Add(failure.Kind, failure.Message);

    /// <summary>The groups, the largest first.</summary>
    public IReadOnlyList<(FailureKind Kind, long Count, string Example)> ToList()
    {
        lock (_gate)
        {
            return [.. _groups.OrderByDescending(group => group.Value.Count).ThenBy(group => group.Key).Select(group => (group.Key, group.Value.Count, group.Value.Example))];
        }
    }
}
