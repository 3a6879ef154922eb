namespace FastLLM.Jobs.Input;

/// <summary>Finds out which separator a table has between its cells.</summary>
internal static class Separators
{
    private const byte Tab = (byte)'\t';

    // In the order of preference, if several fit.
    private static readonly byte[] s_known = [(byte)',', (byte)';', Tab, (byte)'|'];

    /// <summary>Gets the separator that gives the first line the most columns, and every other line as many; if none does, the first known
    /// one that is in the first line.</summary>
    /// <param name="begin">The begin of the table, without a BOM.</param>
    /// <param name="format">The format that the name or the user states.</param>
    public static byte Of(ReadOnlySpan<byte> begin, InputFormat format)
    {
        byte best = 0, first = 0;
        var columns = 1;
        foreach (byte separator in s_known)
        {
            (int width, bool isRegular) = Measure(begin, separator);
            if (width == 1)
            {
                continue;
            }

            if (separator == Tab && format == InputFormat.Tsv)
            {
                return Tab;
            }

            first = first == 0 ? separator : first;
            if (isRegular && width > columns)
            {
                (best, columns) = (separator, width);
            }
        }

        return best != 0 ? best : first != 0 ? first : format == InputFormat.Tsv ? Tab : (byte)',';
    }

    /// <summary>Gets a message about a separator that the format of the table does not suggest; <see langword="null"/> for
    /// others.</summary>
    public static string? NoticeOf(byte separator, InputFormat format) => (format, separator) switch
    {
        (InputFormat.Csv, Tab) => "the cells are separated by tabs.",
        (InputFormat.Csv or InputFormat.Tsv, (byte)'|') => "the cells are separated by vertical bars.",
        (InputFormat.Tsv, (byte)',') => "the cells are separated by commas.",
        (InputFormat.Tsv, (byte)';') => "the cells are separated by semicolons.",
        _ => null,
    };

    // The cells of the first record, and whether every other whole record has as many. A quote counts at the begin of a cell.
    private static (int Width, bool IsRegular) Measure(ReadOnlySpan<byte> text, byte separator)
    {
        (int width, int cells) = (0, 1);
        (bool isQuoted, bool mayQuote, bool isBlank) = (false, true, true);
        foreach (byte c in text)
        {
            if (isQuoted)
            {
                isQuoted = c != (byte)'"';
                mayQuote = true; // a second quote is text, and the cell is not closed
            }
            else if (c == (byte)'\n')
            {
                if (!isBlank && width > 0 && cells != width)
                {
                    return (width, false);
                }

                width = isBlank || width > 0 ? width : cells;
                (cells, mayQuote, isBlank) = (1, true, true);
            }
            else
            {
                isQuoted = mayQuote && c == (byte)'"';
                mayQuote = c == separator;
                cells += c == separator ? 1 : 0;
                isBlank &= c == (byte)'\r';
            }
        }

        return (width > 0 ? width : cells, true);
    }
}
