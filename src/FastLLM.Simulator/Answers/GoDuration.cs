using System.Globalization;

namespace FastLLM.Simulator.Answers;

/// <summary>Formats times as OpenAI does in headers and messages: <c>0s</c>, <c>17ms</c>, <c>1.5s</c>, <c>6m0s</c>.</summary>
internal static class GoDuration
{
    /// <param name="time">Not negative; whole milliseconds.</param>
    public static string Format(TimeSpan time)
    {
        long milliseconds = (long)time.TotalMilliseconds;
        if (milliseconds is > 0 and < 1000)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{milliseconds}ms");
        }

        (long minutes, milliseconds) = Math.DivRem(milliseconds, 60_000);
        string seconds = (milliseconds / 1000m).ToString("0.###", CultureInfo.InvariantCulture) + "s";
        return minutes == 0 ? seconds
            : minutes < 60 ? string.Create(CultureInfo.InvariantCulture, $"{minutes}m{seconds}")
            : string.Create(CultureInfo.InvariantCulture, $"{minutes / 60}h{minutes % 60}m{seconds}");
    }
}
