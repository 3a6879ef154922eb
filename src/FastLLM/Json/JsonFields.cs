using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Reads members of what a provider sent, whatever kind they turn out to be.</summary>
internal static class JsonFields
{
    /// <summary>The member's text, or <see langword="null"/> where it is missing or no text.</summary>
    public static string? Text(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? Text(value)
            : null;

    /// <summary>The member's elements; none where it is missing or no array.</summary>
    public static IEnumerable<JsonElement> Array(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray()
            : [];

    // A model's text may hold half of a surrogate pair, written as an escape: .NET refuses it, but the rest of the text was paid for.
    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return Decode(value.GetRawText());
        }
    }

    private static string Decode(string quoted)
    {
        ReadOnlySpan<char> rest = quoted.AsSpan(1, quoted.Length - 2);
        var text = new StringBuilder(rest.Length);
        while (!rest.IsEmpty)
        {
            if (rest[0] != '\\')
            {
                text.Append(rest[0]);
                rest = rest[1..];
            }
            else if (rest[1] == 'u')
            {
                text.Append((char)ushort.Parse(rest.Slice(2, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                rest = rest[6..];
            }
            else
            {
                text.Append(rest[1] switch { 'b' => '\b', 'f' => '\f', 'n' => '\n', 'r' => '\r', 't' => '\t', var other => other });
                rest = rest[2..];
            }
        }

        return text.ToString();
    }
}
