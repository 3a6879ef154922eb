using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Parses <c>--max-errors</c>: a number of rows, or a percentage of them.</summary>
internal static class ErrorLimit
{
    /// <summary>Applies a limit such as <c>50</c>, <c>5%</c> or <c>2.5%</c>.</summary>
    /// <exception cref="UsageException">The text is neither a number nor a percentage.</exception>
    public static void Apply(string? text, RequestManagerOptions options)
    {
        if (text is null)
        {
            return;
        }

        string given = text.Trim();
        if (given.EndsWith('%')
            && double.TryParse(given[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent)
            && percent <= 100)
        {
            options.MaxErrorShare = percent / 100;
        }
        else if (long.TryParse(given, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out long rows) && rows >= 0)
        {
            options.MaxErrors = rows;
        }
        else
        {
            throw UsageException.Invalid("--max-errors", text, "Use a number of rows, or a percentage from 0% to 100%.");
        }
    }
}
