using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace FastLLM.Json;

/// <summary>Replaces what UTF-8 cannot carry by U+FFFD: invalid bytes, and halves of escaped surrogate pairs.</summary>
internal static class WellFormedJson
{
    private const int EscapeLength = 6; // \uXXXX

    private static readonly byte[] s_replacement = [0xEF, 0xBF, 0xBD];

    /// <inheritdoc cref="Of(ReadOnlySpan{byte}, out int)"/>
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json) => Of(json, out _);

    /// <inheritdoc cref="Of(ReadOnlySpan{byte}, out int)"/>
    public static ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> json) =>
        Of(json.Span, out int replaced) is var valid && replaced > 0 ? valid.ToArray() : json;

    /// <summary>Gets the JSON itself if it is well-formed, otherwise a copy with the replacements.</summary>
    /// <remarks>White space, numbers, the order of members and all other escapes stay as they are.</remarks>
    /// <param name="json">The JSON.</param>
    /// <param name="replaced">The number of U+FFFD in the copy that are not in the JSON.</param>
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json, out int replaced)
    {
        replaced = 0;
        if (!Utf8.IsValid(json))
        {
            byte[] valid = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));
            replaced = valid.AsSpan().Count(s_replacement) - json.Count(s_replacement) + ReplaceHalves(valid);
            return valid;
        }

        if (FirstHalf(json, 0) < 0)
        {
            return json;
        }

        byte[] copy = json.ToArray();
        replaced = ReplaceHalves(copy);
        return copy;
    }

    private static int ReplaceHalves(Span<byte> json)
    {
        var count = 0;
        for (int at = FirstHalf(json, 0); at >= 0; at = FirstHalf(json, at + EscapeLength))
        {
            "\\ufffd"u8.CopyTo(json[at..]);
            count++;
        }

        return count;
    }

    private static int FirstHalf(ReadOnlySpan<byte> json, int start)
    {
        // Nearly all JSON has no escaped surrogate, and two fast searches show it.
        if (json[start..].IndexOf("\\ud"u8) < 0 && json[start..].IndexOf("\\uD"u8) < 0)
        {
            return -1;
        }

        int at = start;
        while (json[at..].IndexOf((byte)'\\') is >= 0 and var next)
        {
            at += next;
            char unit = Unit(json[at..]);
            if (!char.IsSurrogate(unit))
            {
                at = Math.Min(json.Length, at + 2);
            }
            else if (char.IsHighSurrogate(unit) && char.IsLowSurrogate(Unit(json[(at + EscapeLength)..])))
            {
                at += 2 * EscapeLength;
            }
            else
            {
                return at;
            }
        }

        return -1;
    }

    // The UTF-16 unit of an escape \uXXXX at the beginning of the bytes, or 0.
    private static char Unit(ReadOnlySpan<byte> json) =>
        json.Length >= EscapeLength && json[0] == '\\' && json[1] == 'u'
        && ushort.TryParse(json[2..EscapeLength], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit)
        ? (char)unit : '\0';
}
