namespace FastLLM.Jobs.Reports;

/// <summary>Shortens text.</summary>
internal static class Text
{
    /// <summary>Gets at most so many UTF-16 units of a text, without half of a surrogate pair at the end.</summary>
    public static string Cut(string text, int max) =>
        text.Length <= max ? text : text[..(max > 0 && char.IsHighSurrogate(text[max - 1]) ? max - 1 : max)];
}
