namespace FastLLM.Jobs.Input;

/// <summary>Detects the format of an input from its name and its first bytes.</summary>
internal static class InputSource
{
    /// <summary>Gets the format that the name of a file implies, if none is given.</summary>
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

    /// <summary>Gets the separator of the cells if plain rows with this begin are a table; <see langword="null"/> for JSON lines.</summary>
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
            throw new InvalidDataException("The input begins like a JSON array. Plain rows are one JSON object per line, or a table.");
        }

        bool isTable = format switch
        {
            InputFormat.Csv or InputFormat.Tsv => true,
            InputFormat.Auto => hasTemplate && begin.TrimStart(" \t\r\n"u8) is [not (byte)'{', ..],
            _ => false,
        };
        bool hasComma = first.Contains((byte)',');
        return !isTable ? null
            : format == InputFormat.Tsv || (format == InputFormat.Auto && first.Contains((byte)'\t') && !hasComma) ? (byte)'\t'
            : first.Contains((byte)';') && !hasComma ? (byte)';'
            : (byte)',';
    }
}
