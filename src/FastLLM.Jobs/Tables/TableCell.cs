using System.Buffers;
using System.Globalization;
using System.Text;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes a cell of a CSV or TSV file: quoted if necessary, and guarded if it may be a formula that the user did not
/// write.</summary>
/// <remarks>Spreadsheets treat a cell that begins with <c>=</c>, <c>+</c>, <c>-</c>, <c>@</c>, a tab, CR or LF as a formula, which may
/// fetch or run things; some skip blanks and invisible characters before it, and some take full-width signs for it. An apostrophe before
/// the text prevents that (OWASP); a plain number, such as −5, stays a number.</remarks>
internal static class TableCell
{
    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789");

    private const char Null = '\0', Replacement = '\uFFFD';

    /// <summary>Appends a cell. U+FFFD replaces U+0000, at which many readers end the text or refuse the file.</summary>
    public static void Append(StringBuilder line, string text, char separator, bool isGuarded)
    {
        text = text.Replace(Null, Replacement);
        bool needsQuotes = NeedsQuotes(text, separator);
        line.Append(needsQuotes ? "\"" : "").Append(isGuarded ? "'" : "");
        line.Append(needsQuotes ? text.Replace("\"", "\"\"", StringComparison.Ordinal) : text);
        line.Append(needsQuotes ? "\"" : "");
    }

    /// <summary>Determines whether a spreadsheet may take a text for a formula.</summary>
    public static bool MayBeFormula(ReadOnlySpan<char> text)
    {
        if (text is ['\t' or '\r' or '\n', ..])
        {
            return true;
        }

        while (Rune.DecodeFromUtf16(text, out Rune first, out int length) == OperationStatus.Done && IsSkipped(first))
        {
            text = text[length..];
        }

        return text is ['=' or '+' or '-' or '@' or '\uFF1D' or '\uFF0B' or '\uFF0D' or '\uFF20', ..] && !IsPlainNumber(text);
    }

    // Blanks, including NBSP, control characters, and characters that are invisible at the start of a text, such as a BOM.
    private static bool IsSkipped(Rune c) => Rune.IsWhiteSpace(c)
        || Rune.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.NonSpacingMark
        || c.Value is '\u3164' or '\u115F' or '\u1160' or '\uFFA0'; // Hangul fillers

    private static bool NeedsQuotes(string text, char separator) => text.AsSpan().ContainsAny([separator, '"', '\n', '\r']);

    // An optional sign, digits, an optional fraction, an optional exponent, and nothing else.
    private static bool IsPlainNumber(ReadOnlySpan<char> text)
    {
        text = text[0] is '+' or '-' ? text[1..] : text;
        if (!TakeDigits(ref text))
        {
            return false;
        }

        if (text is ['.', ..])
        {
            text = text[1..];
            if (!TakeDigits(ref text))
            {
                return false;
            }
        }

        if (text is ['e' or 'E', ..])
        {
            text = text[1..];
            text = text is ['+' or '-', ..] ? text[1..] : text;
            if (!TakeDigits(ref text))
            {
                return false;
            }
        }

        return text.IsEmpty;
    }

    private static bool TakeDigits(ref ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAnyExcept(s_digits);
        int count = end < 0 ? text.Length : end;
        text = text[count..];
        return count > 0;
    }
}
