using System.Text.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>Texts out of rows, whatever bytes they hold.</summary>
internal static class Text
{
    /// <summary>The text; <see langword="null"/> where there is none. What is no text to .NET (half a surrogate pair) stays as the file has it.</summary>
    public static string? Of(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            return element.GetRawText()[1..^1];
        }
    }

    /// <summary>The text of a member; <see langword="null"/> where there is none.</summary>
    public static string? Of(JsonElement element, string name) => Member(element, name) is { } member ? Of(member) : null;

    /// <summary>A member, unless it is missing or null.</summary>
    public static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement member) && member.ValueKind != JsonValueKind.Null ? member : null;

    /// <summary>A whole number; <see langword="null"/> where there is none.</summary>
    public static long? Number(JsonElement element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.Number } member && member.TryGetDouble(out double number) && Math.Abs(number) < 1e15 ? (long)number : null;

    /// <summary>At most so many UTF-16 units, and no half of a pair at the end.</summary>
    public static string Cut(string text, int most) =>
        text.Length <= most ? text : text[..(most > 0 && char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
}
