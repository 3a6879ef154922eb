using System.Buffers;
using System.Globalization;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Makes untrusted text safe for a terminal, and arguments safe for a shell.</summary>
internal static class TerminalText
{
    // C0 with ESC, DEL, C1; line and paragraph separators; bidirectional marks, which can disguise text.
    private static readonly SearchValues<char> Harmful = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7F, 0x21)).Select(c => (char)c),
        '\u061C', '\u200E', '\u200F', '\u2028', '\u2029', '\u202A', '\u202B', '\u202C', '\u202D', '\u202E',
        '\u2066', '\u2067', '\u2068', '\u2069']);

    // Format characters beyond the BMP are in pairs: invisible tags can carry text that only a program reads.
    private static readonly SearchValues<char> HarmfulOrPaired = SearchValues.Create(
        [.. Enumerable.Range(0, char.MaxValue + 1).Select(c => (char)c).Where(c => char.IsSurrogate(c) || Harmful.Contains(c))]);

    /// <inheritdoc cref="ShellWord.Quote(string)"/>
    public static string Quote(string word) => ShellWord.Quote(word);

    /// <summary>Returns the text without control characters; tabs and line breaks become blanks.</summary>
    /// <param name="text">Untrusted text.</param>
    /// <param name="maxLength">The maximum number of UTF-16 units; longer text ends with an ellipsis.</param>
    public static string Clean(string? text, int maxLength = int.MaxValue)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "";
        }

        if (text.AsSpan().ContainsAny(HarmfulOrPaired))
        {
            var clean = new StringBuilder(Math.Min(text.Length, 4096));
            int length;
            for (var i = 0; i < text.Length; i += length)
            {
                bool isRune = Rune.DecodeFromUtf16(text.AsSpan(i), out Rune rune, out length) == OperationStatus.Done;
                char c = text[i];
                if (clean.Length > maxLength)
                {
                    break;
                }

                if (c is '\t' or '\n' or '\r' or '\u2028' or '\u2029')
                {
                    if (clean.Length > 0 && clean[^1] != ' ')
                    {
                        clean.Append(' ');
                    }
                }
                else if (isRune && !rune.IsBmp)
                {
                    clean.Append(Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format ? [] : text.AsSpan(i, length));
                }
                else if (!Harmful.Contains(c))
                {
                    clean.Append(c);
                }
            }

            text = clean.ToString();
        }

        text = text.Trim();
        if (text.Length <= maxLength)
        {
            return text;
        }

        int end = Math.Max(0, maxLength - 1);
        return (end > 0 && char.IsHighSurrogate(text[end - 1]) ? text[..(end - 1)] : text[..end]) + "…";
    }
}
