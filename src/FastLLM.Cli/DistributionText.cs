using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>Formats how answers are distributed, for the summary and for <c>--json</c>.</summary>
internal static class DistributionText
{
    private const int ShownValues = 12;
    private const int ValueLength = 40;

    /// <summary>Returns the lines of the summary, each with its label.</summary>
    public static IEnumerable<(string Label, IReadOnlyList<string> Parts)> Lines(AnswerDistribution distribution)
    {
        if (distribution.Lengths is not { } lengths)
        {
            yield break;
        }

        string answers = FormattableString.Invariant($"{distribution.Answers:N0} answers");
        foreach (FieldDistribution field in distribution.Fields)
        {
            yield return (TerminalText.Clean(field.Name, 11), Parts(field.Values, distribution.Answers));
        }

        yield return ("finish", Parts([.. distribution.FinishReasons], distribution.Answers));
        yield return ("lengths", [
            FormattableString.Invariant($"median {lengths.Median:N0} characters"),
            FormattableString.Invariant($"95% up to {lengths.P95:N0}"),
            FormattableString.Invariant($"{lengths.Min:N0} to {lengths.Max:N0}"),
            answers,
        ]);
    }

    /// <summary>Writes the member <c>distribution</c>.</summary>
    public static void Write(Utf8JsonWriter json, AnswerDistribution distribution)
    {
        json.WriteStartObject("distribution");
        json.WriteNumber("answers", distribution.Answers);
        json.WriteStartObject("fields");
        foreach (FieldDistribution field in distribution.Fields)
        {
            WriteCounts(json, field.Name, field.Values);
        }

        json.WriteEndObject();
        WriteCounts(json, "finish_reasons", distribution.FinishReasons);
        if (distribution.Lengths is { } lengths)
        {
            json.WriteStartObject("characters");
            json.WriteNumber("min", lengths.Min);
            json.WriteNumber("median", lengths.Median);
            json.WriteNumber("p95", lengths.P95);
            json.WriteNumber("max", lengths.Max);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Writes a member with how often each value occurs.</summary>
    public static void WriteCounts(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, long>> counts)
    {
        json.WriteStartObject(name);
        foreach ((string value, long count) in counts)
        {
            json.WriteNumber(value, count);
        }

        json.WriteEndObject();
    }

    private static IReadOnlyList<string> Parts(IReadOnlyList<KeyValuePair<string, long>> values, long answers)
    {
        int more = values.Count - ShownValues;
        return
        [
            .. values.Take(ShownValues).Select(pair => FormattableString.Invariant(
                $"{TerminalText.Clean(pair.Key, ValueLength)} {pair.Value:N0} ({100.0 * pair.Value / answers:0.#}%)")),
            .. more > 0 ? [FormattableString.Invariant($"and {more:N0} more")] : Array.Empty<string>(),
        ];
    }
}
