using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Parses and formats sizes such as <c>500MB</c> and <c>2GB</c>; the default unit is bytes.</summary>
internal static class SizeText
{
    private static readonly (string Unit, long Bytes)[] s_units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1)];

    /// <summary>Parses the size of an option.</summary>
    /// <exception cref="UsageException">The text is not a size.</exception>
    public static long Parse(string option, string text)
    {
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        long unit = 1;
        foreach ((string name, long bytes) in s_units)
        {
            if (number.EndsWith(name, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^name.Length].TrimEnd();
                unit = bytes;
                break;
            }
        }

        return decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
            && value * unit is >= 0 and <= long.MaxValue
            ? (long)(value * unit)
            : throw UsageException.Invalid(option, text, "Use a size such as 500MB or 2GB. The default unit is bytes.");
    }

    /// <summary>Formats a size, such as <c>1.2 GB</c>.</summary>
    public static string Print(long bytes)
    {
        foreach ((string name, long unit) in s_units)
        {
            if (bytes >= unit)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)unit:0.#} {name}");
            }
        }

        return "0 B";
    }
}
