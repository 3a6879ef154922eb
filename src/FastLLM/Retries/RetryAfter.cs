using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace FastLLM.Retries;

/// <summary>How long the provider asks us to wait, in any of the forms that providers use.</summary>
/// <remarks>Precedence: <c>retry-after-ms</c>, <c>x-ms-retry-after-ms</c>, <c>retry-after</c> (seconds, a date, a duration), the hint in
/// the body (<c>retryDelay</c>, "try again in …"). Negative, absurd (over 7 days) and unreadable values count as not said; a date that has
/// passed is 0. .NET's own <see cref="RetryConditionHeaderValue"/> refuses <c>20.5</c>, <c>6m0s</c>, <c>17ms</c> and RFC 3339, hence this
/// reader.</remarks>
internal static partial class RetryAfter
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    private static readonly string[] s_oldForms =
        ["MMM d HH:mm:ss yyyy", "MMM d HH:mm:ss yyyy 'GMT'", "dd-MMM-yy HH:mm:ss 'GMT'", "dd-MMM-yyyy HH:mm:ss 'GMT'"];

    /// <summary>Reads the wait from headers and body.</summary>
    /// <param name="headers">The answer's headers.</param>
    /// <param name="error">The answer's body.</param>
    /// <param name="now">Our wall clock, used where the answer has no <c>Date</c> of its own; without either, dates are not
    /// understood.</param>
    public static TimeSpan? Read(HttpResponseHeaders headers, in ErrorBody error, DateTimeOffset? now)
    {
        DateTimeOffset? serverNow = First(headers, "Date") is { } date && TryDate(date, out DateTimeOffset told) ? told : now;
        return Milliseconds(First(headers, "retry-after-ms"))
            ?? Milliseconds(First(headers, "x-ms-retry-after-ms"))
            ?? Parse(First(headers, "retry-after"), serverNow)
            ?? Parse(error.RetryDelay, serverNow)
            ?? FromText(error.Message);
    }

    /// <summary>Parses seconds (<c>20</c>, <c>20.5</c>), a duration (<c>6m0s</c>, <c>17ms</c>), an HTTP or RFC 3339 date, or a Unix
    /// time.</summary>
    public static TimeSpan? Parse(string? text, DateTimeOffset? now)
    {
        text = text?.Trim();
        if (string.IsNullOrEmpty(text) || text.Length > 64)
        {
            return null;
        }

        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
        {
            // Beyond a week's worth of seconds it can only be an instant: seconds since 1970, or milliseconds.
            return number switch
            {
                >= 1e12 and < 1e14 => Until(DateTimeOffset.UnixEpoch.AddMilliseconds(number), now),
                >= 1e9 and < 1e11 => Until(DateTimeOffset.UnixEpoch.AddSeconds(number), now),
                _ => Seconds(number),
            };
        }

        return Duration(text) ?? (TryDate(text, out DateTimeOffset instant) ? Until(instant, now) : null);
    }

    private static TimeSpan? Milliseconds(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? Seconds(number / 1000) : null;

    private static TimeSpan? Seconds(double seconds) =>
        double.IsFinite(seconds) && seconds >= 0 && seconds <= Longest.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;

    private static TimeSpan? Until(DateTimeOffset instant, DateTimeOffset? now)
    {
        if (now is not { } reference)
        {
            return null;
        }

        TimeSpan wait = instant - reference;
        return wait > Longest ? null : wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private static bool TryDate(string text, out DateTimeOffset instant) =>
        DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out instant)
        || TryOldDate(text, out instant)
        || (text.Contains('-', StringComparison.Ordinal) && text.Contains('T', StringComparison.OrdinalIgnoreCase)
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out instant))
        || (Zone().Match(text) is { Success: true } zone
            && DateTimeOffset.TryParse(
                zone.Groups["offset"].Success ? text : text[..zone.Index] + " GMT", CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal, out instant));

    // The two obsolete forms of an HTTP date that recipients must accept (RFC 9110, 5.6.7): asctime, and RFC 850. The day of the week says
    // nothing new.
    private static bool TryOldDate(string text, out DateTimeOffset instant)
    {
        int weekday = text.AsSpan().IndexOfAny(' ', ',');
        instant = default;
        return weekday is >= 3 and <= 9
            && DateTimeOffset.TryParseExact(
                text.AsSpan(weekday + 1), s_oldForms, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AllowWhiteSpaces, out instant);
    }

    private static TimeSpan? Duration(string text)
    {
        Match match = GoDuration().Match(text);
        if (!match.Success || match.Length == 0)
        {
            return null;
        }

        double seconds = 0;
        CaptureCollection amounts = match.Groups["amount"].Captures;
        CaptureCollection units = match.Groups["unit"].Captures;
        for (var i = 0; i < amounts.Count; i++)
        {
            seconds += double.Parse(amounts[i].ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture) * units[i].Value switch
            {
                "d" => 86_400,
                "h" => 3_600,
                "m" => 60,
                "s" => 1,
                "ms" => 1e-3,
                _ => 1e-6,
            };
        }

        return Seconds(seconds);
    }

    private static TimeSpan? FromText(string? message)
    {
        if (message is null)
        {
            return null;
        }

        Match match = TryAgainIn().Match(message.Length > 2048 ? message[..2048] : message);
        if (!match.Success)
        {
            return null;
        }

        string said = match.Groups["wait"].Value;
        return match.Groups["word"].Success ? Seconds(double.Parse(said, CultureInfo.InvariantCulture)) : Duration(said);
    }

    private static string? First(HttpResponseHeaders headers, string name)
    {
        // NonValidated keeps the text as it came: an unreadable value must not throw, and two values are two readings of which the first
        // counts.
        if (!headers.NonValidated.TryGetValues(name, out HeaderStringValues values))
        {
            return null;
        }

        foreach (string value in values)
        {
            return value;
        }

        return null;
    }

    // Other names of zones would be a guess.
    [GeneratedRegex(@"\s(?:GMT|UTC|UT|(?<offset>[+-]\d\d:?\d\d))$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Zone();

    // No match timeouts: the texts are short and the patterns bounded, and a busy machine must not make a failure of it.
    [GeneratedRegex(@"^(?:(?<amount>\d{1,9}(?:\.\d{1,12})?)(?<unit>ms|us|µs|d|h|m|s))+$", RegexOptions.CultureInvariant)]
    private static partial Regex GoDuration();

    [GeneratedRegex(@"(?:try again|retry)\s+(?:in|after)\s+(?:(?<wait>\d{1,9}(?:\.\d{1,12})?)\s?(?<word>seconds?\b)|(?<wait>(?:\d{1,9}(?:\.\d{1,12})?(?:ms|d|h|m|s))+))",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex TryAgainIn();
}
