using System.Text.Unicode;

namespace FastLLM.Jobs.Input;

/// <summary>Recognizes files by their first bytes that are not text in a supported encoding, whatever their name.</summary>
internal static class NotText
{
    private const string AsTable = "Name a table (CSV, Excel, Parquet, JSON) or a file of requests.";

    /// <summary>Returns what a file is and what to do; <see langword="null"/> if it may be text.</summary>
    /// <param name="begin">Its first bytes, unpacked.</param>
    public static string? Describe(ReadOnlySpan<byte> begin)
    {
        if (KindOf(begin) is { } kind)
        {
            return $"The input is {kind}, not a table. {AsTable}";
        }

        ReadOnlySpan<byte> text = InputSource.TextOf(begin);
        ReadOnlySpan<byte> first = text.TrimStart(" \t\r\n"u8);
        if (Begins(first, "<!doctype html"u8) || Begins(first, "<html"u8))
        {
            return "The input is a web page, not a table: perhaps a server refused the download.";
        }

        if (begin is [0xFF, 0xFE, 0, 0, ..] or [0, 0, 0xFE, 0xFF, ..])
        {
            return "The input is text in UTF-32. Save it as UTF-8.";
        }

        if (InputSource.EncodingOf(begin) is null && begin.Contains((byte)0))
        {
            return IsHalfZero(begin) ? "The input looks like UTF-16 without a BOM. Save it as UTF-8."
                : IsUtf8(begin) ? null // a stray NUL in a text
                : $"The input is not text. {AsTable}";
        }

        return first is not [(byte)'{' or (byte)'[', ..] && GoesOnBehindCr(first)
            ? "The lines of the input end with CR alone, as on old Macs. Save it with LF or CRLF."
            : null;
    }

    private static string? KindOf(ReadOnlySpan<byte> begin) => begin.StartsWith("%PDF-"u8) ? "a PDF document"
        : begin is [0x89, (byte)'P', (byte)'N', (byte)'G', ..] or [0xFF, 0xD8, 0xFF, ..] || begin.StartsWith("GIF8"u8) ? "an image"
        : null;

    private static bool Begins(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lower) =>
        text.Length >= lower.Length && System.Text.Ascii.EqualsIgnoreCase(text[..lower.Length], lower);

    // Most letters of a table are ASCII: every second byte is zero.
    private static bool IsHalfZero(ReadOnlySpan<byte> begin)
    {
        int even = 0;
        int odd = 0;
        for (var i = 0; i < begin.Length; i++)
        {
            (even, odd) = begin[i] != 0 ? (even, odd) : i % 2 == 0 ? (even + 1, odd) : (even, odd + 1);
        }

        return Math.Max(even, odd) > begin.Length / 4 && Math.Min(even, odd) < begin.Length / 100.0;
    }

    // The first line of a table has no CR but before its LF, or within quotes. An editor may have added an LF at the end of the file.
    private static bool GoesOnBehindCr(ReadOnlySpan<byte> text)
    {
        var isQuoted = false;
        for (var i = 0; i < text.Length && (isQuoted || text[i] != (byte)'\n'); i++)
        {
            isQuoted ^= text[i] == (byte)'"';
            if (!isQuoted && text[i] == (byte)'\r' && i + 1 < text.Length && text[i + 1] is not ((byte)'\r' or (byte)'\n'))
            {
                return true;
            }
        }

        return false;
    }

    // The first bytes may end within a character.
    private static bool IsUtf8(ReadOnlySpan<byte> begin)
    {
        for (var cut = 0; cut < 4 && cut < begin.Length; cut++)
        {
            if (Utf8.IsValid(begin[..^cut]))
            {
                return true;
            }
        }

        return false;
    }
}
