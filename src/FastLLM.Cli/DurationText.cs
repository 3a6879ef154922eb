using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Times as people write them on a command line: <c>200ms</c>, <c>1.5s</c>, <c>2m</c>, <c>1h</c>, <c>30d</c>; a plain number is seconds.</summary>
internal static class DurationText
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    /// <summary>Reads a time that is not negative and at most ten years.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out TimeSpan duration)
    {
        duration = default;
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        double seconds = 1;
        ReadOnlySpan<(string Unit, double Seconds)> units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
        foreach ((string unit, double length) in units)
        {
            if (number.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^unit.Length].TrimEnd();
                seconds = length;
                break;
            }
        }

        if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value))
        {
            return false;
        }

        double all = value * seconds;
        if (!(all >= 0 && all <= Longest.TotalSeconds))
        {
            return false;
        }

        duration = TimeSpan.FromTicks((long)Math.Round(all * TimeSpan.TicksPerSecond));
        return true;
    }

    /// <summary>Reads a time, or says what is wrong with it.</summary>
    /// <param name="option">The option that it was given for.</param>
    /// <param name="text">What was given.</param>
    /// <exception cref="UsageException">It is no time.</exception>
    public static TimeSpan Parse(string option, string text) => TryParse(text, out TimeSpan duration)
        ? duration
        : throw new UsageException($"{option} \"{TerminalText.Clean(text, 40)}\" is no time. Write 200ms, 1.5s, 2m or 1h; a plain number is seconds.");

    /// <summary>A time as a clock shows it: <c>0:07</c>, <c>12:05</c>, <c>1:02:03</c>.</summary>
    public static string Clock(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
        : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}");
}
