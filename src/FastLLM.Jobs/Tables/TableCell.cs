using System.Buffers;
using System.Globalization;
using System.Text;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes a cell of a table: quoted if necessary, and never as a formula.</summary>
/// <remarks>Spreadsheets treat a cell that begins with <c>=</c>, <c>+</c>, <c>-</c>, <c>@</c>, a tab, CR or LF as a formula, which may
/// fetch or run things. Some ignore blanks, a BOM or invisible characters before it, or read full-width signs as ASCII. An apostrophe
/// before the text prevents that (OWASP); a plain number, such as −5, stays a number.</remarks>
internal static class TableCell
{
    private static readonly SearchValues<char> s_digits = SearchValues.Create("0123456789");

    /// <summary>Appends a cell.</summary>
    public static void Append(StringBuilder line, string text, char separator)
    {
        bool isGuarded = IsFormula(text);
        if (!isGuarded && !NeedsQuotes(text, separator))
        {
            line.Append(text);
            return;
        }

        bool needsQuotes = NeedsQuotes(text, separator);
        line.Append(needsQuotes ? "\"" : "").Append(isGuarded ? "'" : "");
        line.Append(needsQuotes ? text.Replace("\"", "\"\"", StringComparison.Ordinal) : text);
        line.Append(needsQuotes ? "\"" : "");
    }

    private static bool IsFormula(string text)
    {
        var start = 0;
        while (start < text.Length && IsIgnored(text[start]))
        {
            start++;
        }

        ReadOnlySpan<char> rest = text.AsSpan(start);
        return text is ['\t' or '\r' or '\n', ..]
            || (rest is ['=' or '+' or '-' or '@' or '\uFF1D' or '\uFF0B' or '\uFF0D' or '\uFF20', ..] && !IsPlainNumber(rest));
    }

    private static bool IsIgnored(char c) =>
        char.IsWhiteSpace(c) || char.IsControl(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format;

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
