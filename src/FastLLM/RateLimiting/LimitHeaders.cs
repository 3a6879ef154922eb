using System.Collections.Frozen;
using System.Globalization;
using System.Net.Http.Headers;

namespace FastLLM.RateLimiting;

/// <summary>Represents what the headers of a response say about limits, for all providers.</summary>
/// <remarks>One table of names for all providers: no two of them mean different things by the same name, but for those that
/// <see cref="Read"/> tells apart.</remarks>
internal sealed class LimitHeaders
{
    private const double Unbelievable = 1e15;
    private const double Minute = 90;       // a minute, and what clocks may differ by
    private const double LongWindow = 3_600;
    private const double HalfAThousand = 500;

    private static readonly FrozenDictionary<string, (Axis Axis, Field Field)> s_names =
        Table().ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private LimitHeaders(ReadOnlySpan<LimitAxis> axes)
    {
        Requests = axes[(int)Axis.Requests];
        Tokens = axes[(int)Axis.Tokens];
        Input = axes[(int)Axis.Input];
        Output = axes[(int)Axis.Output];
        RequestsOfDay = axes[(int)Axis.RequestsOfDay];
    }

    private enum Axis
    {
        Requests,
        Tokens,
        Input,
        Output,
        RequestsOfDay,
    }

    private enum Field
    {
        Limit,
        Remaining,

        /// <summary>Rounded to thousands (Anthropic): up to half a thousand more may be left than it says.</summary>
        RoundedRemaining,
        Reset,
    }

    public LimitAxis Requests { get; }

    public LimitAxis Tokens { get; }

    public LimitAxis Input { get; }

    public LimitAxis Output { get; }

    public LimitAxis RequestsOfDay { get; }

    /// <summary>Whether something is known of what remains.</summary>
    public bool SaysAnything =>
        (Requests.Remaining ?? Tokens.Remaining ?? Input.Remaining ?? Output.Remaining ?? RequestsOfDay.Remaining) is not null;

    /// <summary>Gets the time until all used-up limits are refilled; <see langword="null"/> if none is used up or the headers do not
    /// say.</summary>
    public TimeSpan? UntilRefilled
    {
        get
        {
            double longest = 0;
            foreach (LimitAxis axis in (ReadOnlySpan<LimitAxis>)[Requests, Tokens, Input, Output, RequestsOfDay])
            {
                longest = axis.IsUsedUp && axis.Reset > longest ? axis.Reset.Value : longest;
            }

            return longest > 0 ? TimeSpan.FromSeconds(longest) : null;
        }
    }

    /// <summary>Reads what can be read; what cannot counts as not said. −1 is "not known" (Azure), not "none".</summary>
    /// <param name="headers">The answer's headers.</param>
    /// <param name="parseTime">Reads a wait from a text in any of the providers' forms, given the provider's clock.</param>
    /// <param name="now">Our wall clock, for providers that do not tell theirs.</param>
    public static LimitHeaders Read(HttpResponseHeaders headers, Func<string?, DateTimeOffset?, TimeSpan?> parseTime, DateTimeOffset? now)
    {
        Span<LimitAxis> axes = stackalloc LimitAxis[5];
        axes.Clear();
        DateTimeOffset? clock = null;
        foreach (KeyValuePair<string, HeaderStringValues> header in headers.NonValidated)
        {
            if (!s_names.TryGetValue(header.Key, out (Axis Axis, Field Field) row) || First(header.Value) is not { } text)
            {
                continue;
            }

            ref LimitAxis axis = ref axes[(int)row.Axis];
            if (row.Field == Field.Reset)
            {
                clock ??= Clock(headers) ?? now;
                axis = axis with { Reset = Larger(axis.Reset, parseTime(text, clock)?.TotalSeconds) };
            }
            else if (Number(text) is { } number)
            {
                axis = row.Field switch
                {
                    Field.Limit => axis with { Limit = Smaller(axis.Limit, number) },
                    Field.RoundedRemaining =>
                        axis with { Remaining = Smaller(axis.Remaining, number + HalfAThousand), IsUsedUp = axis.IsUsedUp || number == 0 },
                    _ => axis with { Remaining = Smaller(axis.Remaining, number), IsUsedUp = axis.IsUsedUp || number == 0 },
                };
            }
        }

        // Groq's requests are those of a day, under the name that others use for a minute's: they take longer to come back than a minute's
        // would.
        ref LimitAxis requests = ref axes[(int)Axis.Requests];
        if (requests.Window > LongWindow && requests.Reset > Minute)
        {
            axes[(int)Axis.RequestsOfDay] = requests;
            requests = default;
        }

        return new LimitHeaders(axes);
    }

    private static Dictionary<string, (Axis Axis, Field Field)> Table()
    {
        var table = new Dictionary<string, (Axis, Field)>(StringComparer.OrdinalIgnoreCase);

        // OpenAI, Azure, GitHub Models, Groq, and all who copy them.
        Add(Axis.Requests, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests");
        Add(Axis.Tokens, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens");
        Add(Axis.Tokens, "x-ratelimit-limit-project-tokens", "x-ratelimit-remaining-project-tokens", "x-ratelimit-reset-project-tokens");
        Add(Axis.Tokens,
            "x-ratelimit-limit-tokens_usage_based", "x-ratelimit-remaining-tokens_usage_based", "x-ratelimit-reset-tokens_usage_based");

        // Anthropic.
        Add(Axis.Requests,
            "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset");
        Add(Axis.Tokens,
            "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
            Field.RoundedRemaining);
        Add(Axis.Input,
            "anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset",
            Field.RoundedRemaining);
        Add(Axis.Output,
            "anthropic-ratelimit-output-tokens-limit", "anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset",
            Field.RoundedRemaining);

        // OpenRouter (on its own 429 only, reset in milliseconds since 1970); Together (per second).
        Add(Axis.Requests, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset");
        Add(Axis.Tokens, "x-tokenlimit-limit", "x-tokenlimit-remaining", "x-tokenlimit-reset");

        // Mistral, now and before.
        Add(Axis.Requests, "x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute", "x-ratelimit-reset-req-minute");
        Add(Axis.Tokens, "x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute");
        Add(Axis.Tokens, "x-ratelimitbysize-limit-minute", "x-ratelimitbysize-remaining-minute", "x-ratelimitbysize-reset-minute");
        Add(Axis.Tokens, "ratelimitbysize-limit", "ratelimitbysize-remaining", "ratelimitbysize-reset");
        return table;

        void Add(Axis axis, string limit, string remaining, string reset, Field remainingField = Field.Remaining)
        {
            table.Add(limit, (axis, Field.Limit));
            table.Add(remaining, (axis, remainingField));
            table.Add(reset, (axis, Field.Reset));
        }
    }

    private static double? Number(string text) =>
        double.TryParse(text.AsSpan().Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && number >= 0 && number < Unbelievable ? number : null;

    private static DateTimeOffset? Clock(HttpResponseHeaders headers) =>
        headers.NonValidated.TryGetValues("Date", out HeaderStringValues values) && First(values) is { } text
        && DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date)
            ? date : null;

    // Of two values the first counts.
    private static string? First(HeaderStringValues values)
    {
        foreach (string value in values)
        {
            return value;
        }

        return null;
    }

    private static double? Smaller(double? one, double other) => one is null || other < one ? other : one;

    private static double? Larger(double? one, double? other) => one is null || other > one ? other : one;
}

/// <summary>What the headers say of one limit.</summary>
/// <param name="Limit">The whole.</param>
/// <param name="Remaining">What may still be used; if it is given in thousands, the upper bound.</param>
/// <param name="Reset">Seconds until it is whole again.</param>
/// <param name="IsUsedUp">Whether the provider says that nothing is left.</param>
internal readonly record struct LimitAxis(double? Limit, double? Remaining, double? Reset, bool IsUsedUp)
{
    /// <summary>The seconds over which the limit counts, from how long it takes to get back what is used.</summary>
    public double? Window => Limit - Remaining is > 0 and var used ? Reset * Limit / used : null;
}
