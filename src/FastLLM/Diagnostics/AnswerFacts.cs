using System.Text;

namespace FastLLM.Diagnostics;

/// <summary>Finds id, model and finish reasons in the bytes of an answer, for telemetry: much faster than reading the JSON.</summary>
/// <remarks>In JSON text, the bytes <c>"model"</c> with both quotes are a name or a whole string: a quote inside of a string has a
/// backslash before it. Followed by a colon, they are a name. Values with escapes are not read.</remarks>
internal static class AnswerFacts
{
    private static readonly string[][] s_reasons = [["stop"], ["length"], ["tool_calls"], ["content_filter"]];

    /// <summary>Returns the value of the first member with a name; empty if it is not a plain string.</summary>
    public static ReadOnlySpan<byte> First(ReadOnlySpan<byte> body, scoped ReadOnlySpan<byte> quotedName)
    {
        Next(ref body, quotedName, out ReadOnlySpan<byte> value);
        return value;
    }

    /// <summary>Returns the text of the first member with a name, which is that of an earlier answer if that is equal.</summary>
    public static string? First(ReadOnlySpan<byte> body, ReadOnlySpan<byte> quotedName, string? earlier, string? other)
    {
        ReadOnlySpan<byte> value = First(body, quotedName);
        return value.IsEmpty ? null : Is(value, earlier) ? earlier : Is(value, other) ? other : Encoding.UTF8.GetString(value);
    }

    /// <summary>Returns the finish reason of each choice; <see langword="null"/> if there is none.</summary>
    public static string[]? FinishReasons(ReadOnlySpan<byte> body)
    {
        string[]? first = null;
        List<string>? all = null;
        while (Next(ref body, "\"finish_reason\""u8, out ReadOnlySpan<byte> value))
        {
            if (!value.IsEmpty)
            {
                string[] reason = ReasonOf(value);
                all = first is null ? null : all ?? [first[0]];
                all?.Add(reason[0]);
                first ??= reason;
            }
        }

        return all is null ? first : [.. all];
    }

    private static bool Next(scoped ref ReadOnlySpan<byte> rest, scoped ReadOnlySpan<byte> quotedName, out ReadOnlySpan<byte> value)
    {
        while (rest.IndexOf(quotedName) is >= 0 and var at)
        {
            rest = rest[(at + quotedName.Length)..].TrimStart(" \t\r\n"u8);
            if (rest.StartsWith(":"u8))
            {
                rest = rest[1..].TrimStart(" \t\r\n"u8);
                int end = rest.StartsWith("\""u8) ? rest[1..].IndexOf((byte)'"') : -1;
                value = end > 0 && !rest.Slice(1, end).Contains((byte)'\\') ? rest.Slice(1, end) : default;
                return true;
            }
        }

        value = default;
        return false;
    }

    private static string[] ReasonOf(ReadOnlySpan<byte> value)
    {
        foreach (string[] known in s_reasons)
        {
            if (Is(value, known[0]))
            {
                return known;
            }
        }

        return [Encoding.UTF8.GetString(value)];
    }

    private static bool Is(ReadOnlySpan<byte> utf8, string? text) => text is not null && Ascii.Equals(utf8, text);
}
