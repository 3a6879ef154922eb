namespace FastLLM.Cli;

/// <summary>Writes text in lines of a limited width, broken at blanks.</summary>
internal static class WrappedText
{
    /// <summary>Writes a text with a margin.</summary>
    /// <param name="writer">Where to write.</param>
    /// <param name="text">The text, in one line.</param>
    /// <param name="width">The number of columns.</param>
    /// <param name="indent">The margin of each line.</param>
    /// <param name="isFirstIndented">Whether the margin of the first line has been written.</param>
    public static void Write(TextWriter writer, string text, int width, int indent, bool isFirstIndented = false)
    {
        string margin = new(' ', indent);
        string line = isFirstIndented ? "" : margin;
        int used = indent;
        foreach (string word in text.Split(' '))
        {
            if (used > indent && used + 1 + word.Length > width)
            {
                writer.WriteLine(line);
                line = margin;
                used = indent;
            }

            line += used > indent ? " " + word : word;
            used += (used > indent ? 1 : 0) + word.Length;
        }

        writer.WriteLine(line);
    }
}
