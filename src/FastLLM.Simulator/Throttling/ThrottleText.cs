using System.Globalization;

namespace FastLLM.Simulator.Throttling;

/// <summary>Reads laws, changes and retry rules from text, and writes their times.</summary>
internal static class ThrottleText
{
    private const string LawName = "a throttling law";

    private static readonly (string Kind, Func<string, ThrottleLaw?> Read, string Form)[] s_laws =
    [
        ("random", Random, "random:P%, such as random:10%"),
        ("concurrency", Concurrency, "concurrency:N, such as concurrency:20"),
        ("window", static text => Counted(text, ThrottleLaw.Window), "window:N/TIME, such as window:500/10s or window:3000/1min"),
        ("sliding", static text => Counted(text, ThrottleLaw.Sliding), "sliding:N/TIME, such as sliding:500/10s or sliding:3000/1min"),
        ("bucket", Bucket, "bucket:N/TIME or bucket:N/TIME,burst:N, such as bucket:50/s,burst:10"),
    ];

    public static ThrottleLaw Law(string text)
    {
        string kind = text.Split(':', 2)[0];
        foreach ((string name, Func<string, ThrottleLaw?> read, string form) in s_laws)
        {
            if (name == kind)
            {
                return Read(text, t => t.Length > name.Length ? read(t[(name.Length + 1)..]) : null, LawName, form);
            }
        }

        throw Wrong(text, LawName, ".", "random:10%, concurrency:20, window:500/10s, sliding:500/10s or bucket:50/s,burst:10");
    }

    public static ThrottleChange Change(string text) => Read(
        text,
        static text => text.Split('=', 2) is [var at, var law] && Time(at) is { } time
            ? new ThrottleChange(time, law == "none" ? [] : [Law(law)])
            : null,
        "a change of throttling",
        "TIME=LAW or TIME=none, such as 20s=bucket:25/s");

    public static ThrottleRetryAfter RetryAfter(string text) => Read(
        text,
        static text => text == "none" ? ThrottleRetryAfter.None
            : text.StartsWith("wrong:", StringComparison.Ordinal)
                ? text.EndsWith('x') && Number(text["wrong:".Length..^1]) is { } factor ? ThrottleRetryAfter.Wrong(factor) : null
            : (Number(text) is { } seconds ? Seconds(seconds, 1) : Time(text)) is { } time ? ThrottleRetryAfter.Always(time)
            : null,
        "a rule for Retry-After",
        "a time such as 1 (seconds) or 500ms, none, wrong:0.1x or wrong:10x");

    /// <summary>Formats a time in its largest whole unit; the number is omitted if it is 1.</summary>
    public static string Format(TimeSpan time)
    {
        (double number, string unit) = time.Ticks % TimeSpan.TicksPerHour == 0 ? (time.TotalHours, "h")
            : time.Ticks % TimeSpan.TicksPerMinute == 0 ? (time.TotalMinutes, "min")
            : time.Ticks % TimeSpan.TicksPerSecond == 0 ? (time.TotalSeconds, "s")
            : (time.TotalMilliseconds, "ms");
        return number == 1 ? unit : number.ToString(CultureInfo.InvariantCulture) + unit;
    }

    private static T Read<T>(string text, Func<string, T?> read, string what, string form)
        where T : class
    {
        try
        {
            return read(text) ?? throw Wrong(text, what, ".", form);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw Wrong(text, what, $": {e.Message.Split(" (Parameter", 2)[0]}", form);
        }
    }

    private static FormatException Wrong(string text, string what, string reason, string form) =>
        new($"\"{text}\" is not {what}{reason} Use {form}.");

    private static ThrottleLaw? Random(string text) =>
        (text.EndsWith('%') ? Number(text[..^1]) / 100 : Number(text)) is { } share ? ThrottleLaw.Random(share) : null;

    private static ThrottleLaw? Concurrency(string text) => Count(text) is { } limit ? ThrottleLaw.Concurrency(limit) : null;

    private static ThrottleLaw? Counted(string text, Func<int, TimeSpan, ThrottleLaw> create) =>
        text.Split('/') is [var count, var time] && Count(count) is { } limit && Time(time) is { } period ? create(limit, period) : null;

    private static ThrottleLaw? Bucket(string text)
    {
        const string burstName = ",burst:";
        string[] parts = text.Split(burstName);
        int? burst = parts.Length == 2 ? Count(parts[1]) : null;
        return parts.Length == (burst is null ? 1 : 2)
            && parts[0].Split('/') is [var number, var time] && Number(number) is { } rate && Time(time) is { } period
                ? ThrottleLaw.Bucket(rate, period, burst)
                : null;
    }

    private static int? Count(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : null;

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) ? number : null;

    private static TimeSpan? Time(string text)
    {
        ReadOnlySpan<(string, double)> units = [("ms", 0.001), ("s", 1), ("min", 60), ("m", 60), ("h", 3600)];
        foreach ((string unit, double length) in units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal))
            {
                string number = text[..^unit.Length];
                return number.Length == 0 ? Seconds(1, length) : Number(number) is { } count ? Seconds(count, length) : null;
            }
        }

        return null;
    }

    // Rounded to ticks; what is too long for any use stays too long.
    private static TimeSpan? Seconds(double count, double unit) =>
        TimeSpan.FromTicks((long)Math.Min(Math.Round(count * unit * TimeSpan.TicksPerSecond), TimeSpan.TicksPerDay * 1000.0));
}
