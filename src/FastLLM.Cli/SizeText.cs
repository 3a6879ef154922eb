using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Numbers of bytes as people write and read them: <c>500MB</c>, <c>2GB</c>; a plain number is bytes.</summary>
internal static class SizeText
{
    private static readonly (string Unit, long Bytes)[] s_units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1)];

    /// <summary>Reads a size, or says what is wrong with it.</summary>
    /// <param name="option">The option that it was given for.</param>
    /// <param name="text">What was given.</param>
    /// <exception cref="UsageException">It is no size.</exception>
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

        return decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value) && value * unit is >= 0 and <= long.MaxValue
            ? (long)(value * unit)
            : throw new UsageException($"{option} \"{TerminalText.Clean(text, 40)}\" is no size. Write 500MB or 2GB; a plain number is bytes.");
    }

    /// <summary>A size as people read it: <c>1.2 GB</c>.</summary>
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
