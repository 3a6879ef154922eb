using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Parses durations such as <c>200ms</c>, <c>1.5s</c>, <c>2m</c>, <c>1h</c> and <c>30d</c>. The default unit is seconds.</summary>
internal static class DurationText
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    /// <summary>Parses a duration from zero to ten years.</summary>
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

    /// <summary>Parses the duration of an option.</summary>
    /// <exception cref="UsageException">The text is not a duration.</exception>
    public static TimeSpan Parse(string option, string text) => TryParse(text, out TimeSpan duration)
        ? duration
        : throw UsageException.Invalid(option, text, "Use a duration such as 200ms, 1.5s, 2m or 1h. The default unit is seconds.");

    /// <summary>Formats a duration like a clock: <c>0:07</c>, <c>12:05</c>, <c>1:02:03</c>.</summary>
    public static string Clock(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
        : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}");
}
