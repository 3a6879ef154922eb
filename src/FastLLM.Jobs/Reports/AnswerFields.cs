using System.Text.Json;
using FastLLM.Checks;
using FastLLM.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>Counts the values in answers that are JSON objects, such as those of <c>--labels</c> and <c>--fields</c>.</summary>
internal sealed class AnswerFields
{
    private const int MaxFields = 50;
    private const int MaxCharacters = 32 * 1024;

    private readonly List<string> _names = [];
    private readonly Dictionary<string, Tally> _values = new(StringComparer.Ordinal);

    /// <summary>Gets the number of answers that are JSON objects.</summary>
    public long Answers { get; private set; }

    /// <summary>Gets the counts of each field, in the order of the answers.</summary>
    public IEnumerable<(string Name, IReadOnlyList<ReportCount> Values)> Ranked() =>
        _names.Select(name => (name, _values[name].Ranked()));

    /// <summary>Counts an answer.</summary>
    public void Add(string words)
    {
        // Most answers are prose, which is not worth an exception each.
        if (words.Length is 0 or > MaxCharacters || words.AsSpan().Trim() is not ['{' or '`', ..]
            || !JsonAnswer.TryParse(words, out JsonDocument? document, out _))
        {
            return;
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                return;
            }

            Answers++;
            foreach (JsonProperty field in document.RootElement.EnumerateObject())
            {
                if (field.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.Null)
                {
                    continue;
                }

                TallyOf(field.Name)?.Add(field.Value.Text() ?? field.Value.RawText());
            }
        }
    }

    // The names come from a model: their number is bounded.
    private Tally? TallyOf(string name)
    {
        if (!_values.TryGetValue(name, out Tally? tally) && _names.Count < MaxFields)
        {
            _names.Add(name);
            _values[name] = tally = new Tally();
        }

        return tally;
    }
}
