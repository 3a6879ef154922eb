using System.Text.Json;
using FastLLM.Checks;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Represents the labels that answers may be, and finds the label of an answer.</summary>
/// <remarks>An answer is a JSON object with the label, or the label as text. Models write <c>"Good."</c> for <c>good</c>: quotation marks,
/// white space, a period and letter case do not count. Text around a label is another answer.</remarks>
internal sealed class LabelSet(string field, IReadOnlyList<string> labels)
{
    private static readonly char[] s_around = [' ', '\t', '\r', '\n', '"', '\'', '`', '*', '.', '“', '”'];

    private readonly Dictionary<string, string> _byText = labels.ToDictionary(label => label, StringComparer.OrdinalIgnoreCase);

    /// <summary>Gets the labels.</summary>
    public IReadOnlyList<string> Labels => labels;

    /// <summary>Gets the text that describes the labels to a model.</summary>
    public string Instruction => $"Answer with exactly one of these labels and nothing else: {string.Join(", ", labels)}.";

    /// <summary>Returns why a text is no label, or <see langword="null"/>.</summary>
    public string? ErrorOf(string text) => Find(text) is null ? $"The answer is not one of the labels {string.Join(", ", labels)}." : null;

    /// <summary>Gets the label of an answer as a JSON object; <see langword="null"/> if it has none.</summary>
    public JsonDocument? Read(string text) => Find(text) is not { } label ? null : JsonDocument.Parse(JsonText.Build(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString(field, label);
        writer.WriteEndObject();
    }));

    private string? Find(string text)
    {
        string given = JsonAnswer.Unfenced(text);
        if (given.StartsWith('{'))
        {
            if (!JsonAnswer.TryParse(given, out JsonDocument? document, out _))
            {
                return null;
            }

            using (document)
            {
                return document.RootElement.Text(field) is { } own ? _byText.GetValueOrDefault(own.Trim()) : null;
            }
        }

        return _byText.GetValueOrDefault(given) ?? _byText.GetValueOrDefault(given.Trim(s_around));
    }
}
