using System.Text;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>What providers say of their limits, in all of their forms.</summary>
public sealed class LimitHeadersTests
{
    private static readonly DateTimeOffset s_now = new(2025, 8, 21, 12, 40, 0, TimeSpan.Zero);

    public static TheoryData<string, string, string> Zoo => new()
    {
        // OpenAI
        { "x-ratelimit-limit-requests: 5000|x-ratelimit-remaining-requests: 4999|x-ratelimit-reset-requests: 12ms", "requests 5000/4999/0.012", "" },
        { "x-ratelimit-limit-tokens: 160000|x-ratelimit-remaining-tokens: 0|x-ratelimit-reset-tokens: 6m0s", "tokens 160000/0/360", "00:06:00" },
        { "x-ratelimit-remaining-tokens: 900|x-ratelimit-remaining-project-tokens: 10|x-ratelimit-reset-project-tokens: 1s", "tokens -/10/1", "" },
        { "x-ratelimit-limit-tokens_usage_based: 100|x-ratelimit-remaining-tokens_usage_based: 7", "tokens 100/7/-", "" },

        // Azure: seconds without a unit, and -1 for "not known"
        { "x-ratelimit-remaining-requests: -1|x-ratelimit-remaining-tokens: -1|x-ratelimit-reset-tokens: 0", "tokens -/-/0", "" },
        { "x-ratelimit-remaining-requests: 0|x-ratelimit-reset-requests: 10|x-ratelimit-renewalperiod-requests: 60", "requests -/0/10", "00:00:10" },

        // Anthropic: RFC 3339, with an offset, in the past; tokens in thousands
        { "anthropic-ratelimit-requests-limit: 50|anthropic-ratelimit-requests-remaining: 0|anthropic-ratelimit-requests-reset: 2025-08-21T12:40:59Z", "requests 50/0/59", "00:00:59" },
        { "anthropic-ratelimit-input-tokens-remaining: 49000|anthropic-ratelimit-output-tokens-remaining: 0|anthropic-ratelimit-output-tokens-reset: 2025-08-21T14:41:00+02:00", "input -/49500/- output -/500/60", "00:01:00" },
        { "anthropic-ratelimit-tokens-remaining: 0|anthropic-ratelimit-tokens-reset: 2025-08-21T12:00:00Z", "tokens -/500/0", "" },

        // The provider's clock, where it tells it
        { "Date: Thu, 21 Aug 2025 12:40:50 GMT|anthropic-ratelimit-requests-remaining: 0|anthropic-ratelimit-requests-reset: 2025-08-21T12:40:59Z", "requests -/0/9", "00:00:09" },

        // Groq: requests of a day under the name of a minute's
        { "x-ratelimit-limit-requests: 14400|x-ratelimit-remaining-requests: 14370|x-ratelimit-reset-requests: 2m59.56s|x-ratelimit-limit-tokens: 18000|x-ratelimit-remaining-tokens: 17997|x-ratelimit-reset-tokens: 7.66s", "tokens 18000/17997/7.66 day 14400/14370/179.56", "" },

        // OpenRouter: milliseconds since 1970
        { "X-RateLimit-Limit: 20|X-RateLimit-Remaining: 0|X-RateLimit-Reset: 1755780030000", "requests 20/0/30", "00:00:30" },

        // Together, per second
        { "x-ratelimit-limit: 10|x-ratelimit-remaining: 3|x-ratelimit-reset: 1|x-tokenlimit-limit: 3000|x-tokenlimit-remaining: 1200", "requests 10/3/1 tokens 3000/1200/-", "" },

        // Mistral, now and before
        { "x-ratelimit-limit-req-minute: 60|x-ratelimit-remaining-req-minute: 59|x-ratelimit-remaining-tokens-minute: 499000", "requests 60/59/- tokens -/499000/-", "" },
        { "ratelimitbysize-limit: 500000|ratelimitbysize-remaining: 499923", "tokens 500000/499923/-", "" },
        { "x-ratelimitbysize-limit-minute: 500000|x-ratelimitbysize-remaining-minute: 0", "tokens 500000/0/-", "" },

        // What is no number says nothing
        { "x-ratelimit-remaining-requests: |x-ratelimit-remaining-tokens: lots|x-ratelimit-reset-tokens: soon", "", "" },
        { "x-ratelimit-remaining-requests: 1e99|x-ratelimit-remaining-tokens: NaN|x-ratelimit-limit-tokens: -5", "", "" },
        { "x-ratelimit-remaining-requests: 20.5|x-ratelimit-reset-requests: 1e99", "requests -/20.5/-", "" },
        { "x-ratelimit-remaining-requests: 0|x-ratelimit-reset-requests: -3", "requests -/0/-", "" },
        { "retry-after: 3|x-request-id: 7", "", "" },
    };

    [Theory]
    [MemberData(nameof(Zoo))]
    public void EveryProvidersForm_IsUnderstood(string headers, string expected, string untilRefilled)
    {
        LimitHeaders read = Read([.. headers.Split('|').Select(line => (line[..line.IndexOf(':', StringComparison.Ordinal)], line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()))]);

        Assert.Equal(expected, Print(read));
        Assert.Equal(untilRefilled, read.UntilRefilled?.ToString() ?? "");
    }

    [Fact]
    public void OfTwoValues_TheFirstCounts()
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("x-ratelimit-remaining-requests", (string[])["7", "3"]);

        Assert.Equal(7, LimitHeaders.Read(response.Headers, RetryAfter.Parse, s_now).Requests.Remaining);
    }

    [Fact]
    public void NothingThatAServerSays_ThrowsOrIsNegative()
    {
        string[] names = [.. Zoo.SelectMany(row => row.Data.Item1.Split('|')).Select(line => line.Split(':')[0]).Distinct()];
        Gen<string> values = Gen.OneOf(
            ArbMap.Default.GeneratorFor<string>().Select(text => new string([.. (text ?? "").Where(c => c is >= ' ' and < (char)127)])),
            ArbMap.Default.GeneratorFor<double>().Select(number => number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Gen<(string, string)[]> headers = (from name in Gen.Elements(names) from value in values select (name, value)).ArrayOf();

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(headers.ToArbitrary(), told =>
        {
            LimitHeaders read = Read(told);
            return ((LimitAxis[])[read.Requests, read.Tokens, read.Input, read.Output, read.RequestsOfDay])
                .All(axis => !(axis.Remaining < 0) && !(axis.Reset < 0) && !(axis.Limit < 0) && !double.IsNaN(axis.Remaining ?? 0))
                && !(read.UntilRefilled < TimeSpan.Zero);
        }));
    }

    /// <summary>The limits that headers tell, at noon and a bit.</summary>
    internal static LimitHeaders Read(params (string Name, string Value)[] headers)
    {
        using var response = new HttpResponseMessage();
        foreach ((string name, string value) in headers)
        {
            response.Headers.TryAddWithoutValidation(name, value);
        }

        return LimitHeaders.Read(response.Headers, RetryAfter.Parse, s_now);
    }

    private static string Print(LimitHeaders headers)
    {
        var text = new StringBuilder();
        foreach ((string name, LimitAxis axis) in ((string, LimitAxis)[])
            [("requests", headers.Requests), ("tokens", headers.Tokens), ("input", headers.Input), ("output", headers.Output), ("day", headers.RequestsOfDay)])
        {
            if (axis != default)
            {
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{(text.Length > 0 ? " " : "")}{name} {Say(axis.Limit)}/{Say(axis.Remaining)}/{Say(axis.Reset)}");
            }
        }

        return text.ToString();

        static string Say(double? number) => number is { } value ? Math.Round(value, 3).ToString(System.Globalization.CultureInfo.InvariantCulture) : "-";
    }
}
