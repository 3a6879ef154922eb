namespace FastLLM.Diagnostics;

/// <summary>Keeps untrusted text of a message, such as ids and names of columns, from starting lines of its own.</summary>
internal static class SingleLine
{
    /// <summary>Returns the text with blanks in place of line breaks and other control characters.</summary>
    public static string Of(string text) => string.Create(text.Length, text, static (line, text) =>
    {
        for (var i = 0; i < line.Length; i++)
        {
            line[i] = char.IsControl(text[i]) || text[i] is '\u2028' or '\u2029' ? ' ' : text[i];
        }
    });
}
