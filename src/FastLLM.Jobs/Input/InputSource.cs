namespace FastLLM.Jobs.Input;

/// <summary>What an input is, seen from its name and its first bytes: packed or not, lines or a table.</summary>
internal static class InputSource
{
    /// <summary>The format that a file's name tells, where none was given.</summary>
    public static InputFormat ByName(string path, InputFormat format)
    {
        if (format != InputFormat.Auto)
        {
            return format;
        }

        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^".gz".Length] : path;
        return Path.GetExtension(name).ToUpperInvariant() switch
        {
            ".CSV" => InputFormat.Csv,
            ".TSV" or ".TAB" => InputFormat.Tsv,
            _ => InputFormat.Auto,
        };
    }

    /// <summary>Whether plain rows that begin so are a table, and what stands between its cells; <see langword="null"/> for JSON lines.</summary>
    /// <exception cref="InvalidDataException">The text is UTF-16.</exception>
    public static byte? SeparatorOf(ReadOnlySpan<byte> begin, InputFormat format, bool hasTemplate)
    {
        if (begin is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            throw new InvalidDataException("The input is UTF-16. Save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\").");
        }

        begin = begin.StartsWith("\uFEFF"u8) ? begin["\uFEFF"u8.Length..] : begin;
        int lineEnd = begin.IndexOf((byte)'\n');
        ReadOnlySpan<byte> first = lineEnd < 0 ? begin : begin[..lineEnd];
        if (hasTemplate && begin.TrimStart(" \t\r\n"u8) is [(byte)'[', ..] && format is InputFormat.Auto or InputFormat.Jsonl)
        {
            throw new InvalidDataException("The input begins like a JSON array. Plain rows stand one JSON object a line, or in a table.");
        }

        bool isTable = format switch
        {
            InputFormat.Csv or InputFormat.Tsv => true,
            InputFormat.Auto => hasTemplate && begin.TrimStart(" \t\r\n"u8) is [not (byte)'{', ..],
            _ => false,
        };
        return !isTable ? null
            : format == InputFormat.Tsv || (format == InputFormat.Auto && first.Contains((byte)'\t') && !first.Contains((byte)',')) ? (byte)'\t'
            : first.Contains((byte)';') && !first.Contains((byte)',') ? (byte)';'
            : (byte)',';
    }
}
