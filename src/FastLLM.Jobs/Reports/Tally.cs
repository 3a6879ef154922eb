namespace FastLLM.Jobs.Reports;

/// <summary>Counts names, with an example of each. After the first hundred, new names count as others: any file is read.</summary>
internal sealed class Tally
{
    public const string Others = "(others)";

    private const int MaxNames = 100;
    private const int MaxCharacters = 80;

    private readonly Dictionary<string, (long Count, string Example)> _names = new(StringComparer.Ordinal);

    public bool IsEmpty => _names.Count == 0;

    /// <summary>Counts a name.</summary>
    public void Add(string name, string example = "")
    {
        name = name.Length == 0 ? "(none)" : Text.Cut(name, MaxCharacters);
        if (!_names.TryGetValue(name, out (long Count, string Example) entry) && _names.Count >= MaxNames)
        {
            name = Others;
            _names.TryGetValue(name, out entry);
        }

        _names[name] = (entry.Count + 1, entry.Count == 0 ? example : entry.Example);
    }

    /// <summary>Gets the counts, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> Ranked() =>
    [
        .. _names.Select(name => new ReportCount(name.Key, name.Value.Count, name.Value.Example))
            .OrderByDescending(count => count.Count).ThenBy(count => count.Name, StringComparer.Ordinal),
    ];
}
