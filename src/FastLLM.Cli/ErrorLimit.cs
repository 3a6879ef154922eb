using System.Globalization;

namespace FastLLM.Cli;

/// <summary>What <c>--max-errors</c> takes: a number of rows, or a share of them.</summary>
internal static class ErrorLimit
{
    /// <summary>Reads <c>50</c>, <c>5%</c> or <c>2.5%</c> into the options.</summary>
    /// <exception cref="UsageException">It is neither.</exception>
    public static void Apply(string? text, RequestManagerOptions sending)
    {
        if (text is null)
        {
            return;
        }

        string given = text.Trim();
        if (given.EndsWith('%') && double.TryParse(given[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent) && percent <= 100)
        {
            sending.MaxErrorShare = percent / 100;
        }
        else if (long.TryParse(given, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out long rows) && rows >= 0)
        {
            sending.MaxErrors = rows;
        }
        else
        {
            throw new UsageException($"--max-errors \"{TerminalText.Clean(text, 40)}\" is neither a number of rows nor a share of them from 0% to 100%.");
        }
    }
}
