using System.Globalization;
using System.Net;
using System.Text;
using FastLLM.Retries;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Retries;

public sealed class RetryAfterTests
{
    private static readonly DateTimeOffset Now = new(2025, 8, 21, 12, 40, 0, TimeSpan.Zero);

    public static TheoryData<string, double?> Values => new()
    {
        { "0", 0 },
        { "2", 2 },
        { " 2 ", 2 },
        { "20.5", 20.5 },
        { "1e2", 100 },
        { "604800", 604_800 },
        { "604801", null },
        { "17ms", 0.017 },
        { "1s", 1 },
        { "7.66s", 7.66 },
        { "2m59.56s", 179.56 },
        { "6m0s", 360 },
        { "10h17m5.723541104s", 37_025.7235411 },
        { "1d", 86_400 },
        { "8d", null },
        { "2025-08-21T12:40:59Z", 59 },
        { "2025-08-21T12:40:00.250Z", 0.25 },
        { "2025-08-21T14:41:00+02:00", 60 },
        { "2025-08-21T12:39:59Z", 0 },
        { "1999-01-01T00:00:00Z", 0 },
        { "2035-01-01T00:00:00Z", null },
        { "Thu, 21 Aug 2025 12:41:30 GMT", 90 },
        { "Thu, 21 Aug 2025 12:00:00 GMT", 0 },
        { "Thu, 21 Aug 2025 12:41:30 +0000", 90 },
        { "Thu, 21 Aug 2025 14:41:30 +02:00", 90 },
        { "Thu, 21 Aug 2025 12:41:30 UTC", 90 },
        { "Thu, 21 Aug 2025 12:41:30 CEST", null },
        { "1755780010", 10 },       // Unix time in seconds
        { "1755780010500", 10.5 },  // and in milliseconds
        { "1755779000", 0 },
        { "-1", null },
        { "Thu Aug 21 12:40:10 2025", 10 },       // asctime
        { "Mon Sep  1 12:40:10 2025", null },
        { "Thu Aug 21 12:40:10 2025 GMT", 10 },
        { "Thursday, 21-Aug-25 12:40:10 GMT", 10 }, // RFC 850
        { "Thu, 21-Aug-2025 12:40:10 GMT", 10 },
        { "Sun Nov  6 08:49:37 1994", 0 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 0 },
        { "Thu Aug 21 12:40:10", null },
        { "Thu Aug 41 12:40:20 2025", null },
        { "-0.5", null },
        { "1e99", null },
        { "1e999", null },
        { "NaN", null },
        { "Infinity", null },
        { "-Infinity", null },
        { "", null },
        { "   ", null },
        { "5, 10", null },
        { "soon", null },
        { "1,5", null },
        { "0x10", null },
        { "5 s", null },
        { "ms", null },
        { "99999999999999999999", null },
        { "9999-99-99T99:99:99Z", null },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Header_IsReadInEveryForm(string value, double? seconds)
    {
        Assert.Equal(Span(seconds), Read(("retry-after", value)));
        Assert.Equal(Span(seconds), RetryAfter.Parse(value, Now));
    }

    [Fact]
    public void TwoValues_AreTwoReadings_OfWhichTheFirstCounts()
    {
        Assert.Equal(TimeSpan.FromSeconds(5), Read(("Retry-After", "5"), ("retry-after", "10")));
    }

    [Fact]
    public void Sources_AreAskedInOrder_AndAnUnreadableOneIsPassedOver()
    {
        const string body = """{"error":{"message":"Please try again in 9s.","details":[{"retryDelay":"8s"}]}}""";

        Assert.Equal(TimeSpan.FromMilliseconds(1500), Read(body, ("retry-after-ms", "1500"), ("x-ms-retry-after-ms", "2000"), ("retry-after", "3")));
        Assert.Equal(TimeSpan.FromSeconds(2), Read(body, ("x-ms-retry-after-ms", "2000"), ("retry-after", "3")));
        Assert.Equal(TimeSpan.FromSeconds(3), Read(body, ("retry-after-ms", "-1"), ("retry-after", "3")));
        Assert.Equal(TimeSpan.FromSeconds(8), Read(body, ("retry-after", "NaN")));
        Assert.Equal(TimeSpan.FromSeconds(9), Read("""{"error":{"message":"Please try again in 9s."}}"""));
        Assert.Null(Read("{}"));
    }

    [Theory]
    [InlineData("Rate limit reached: Limit 30000, Used 29000, Requested 2000. Please try again in 2s.", 2.0)]
    [InlineData("Please try again in 17ms. Visit x", 0.017)]
    [InlineData("please TRY AGAIN in 1m30.5s", 90.5)]
    [InlineData("Please retry in 10h17m5.723541104s.", 37_025.7235411)]
    [InlineData("Retry after 20 seconds", 20.0)]
    [InlineData("try again in 1 second", 1.0)]
    [InlineData("try again in a while", null)]
    [InlineData("try again in 999999999s", null)]
    [InlineData("try again in -5s", null)]
    [InlineData("Please try again later.", null)]
    public void BodyText_IsReadWhereItNamesAWait(string message, double? seconds)
    {
        Assert.Equal(Span(seconds), Read($$$"""{"error":{"message":"{{{message}}}"}}"""));
    }

    [Theory]
    [InlineData("30s", 30.0)]
    [InlineData("600.5s", 600.5)]
    [InlineData("-3s", null)]
    [InlineData("x", null)]
    public void GooglesRetryDelay_IsRead(string delay, double? seconds)
    {
        Assert.Equal(Span(seconds), Read($$$"""[{"error":{"code":429,"message":"m","details":[{"@type":"x"},{"retryDelay":"{{{delay}}}"}]}}]"""));
    }

    [Fact]
    public void Dates_AreComparedWithTheServersClock_WhereItTellsIt()
    {
        Assert.Equal(TimeSpan.FromSeconds(60), Read(("retry-after", "Thu, 21 Aug 2025 10:01:00 GMT"), ("Date", "Thu, 21 Aug 2025 10:00:00 GMT")));
        Assert.Null(RetryAfter.Parse("2025-08-21T12:40:59Z", now: null));
        Assert.Equal(TimeSpan.FromSeconds(5), RetryAfter.Parse("5", now: null));
    }

    [Fact]
    public void WhateverIsSaid_TheWaitIsNeverNegativeNorLongerThanAWeek_AndNothingThrows()
    {
        string[] pieces = ["1", "9", ".", "-", "+", "e", "E", "s", "ms", "m", "h", "d", "T", "Z", ":", " ", ",", "GMT", "2025-08-21T12:40:59Z", "NaN", "∞", "0001-01-01T00:00:00Z", "+14:00", "try again in "];
        Gen<string> text = Gen.OneOf(
            Gen.Elements(pieces).ListOf().Select(string.Concat),
            ArbMap.Default.GeneratorFor<string>().Select(t => t ?? ""),
            ArbMap.Default.GeneratorFor<double>().Select(d => d.ToString("R", CultureInfo.InvariantCulture)));

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3000), Prop.ForAll(text.ToArbitrary(), said =>
        {
            var error = new ErrorBody("try again in " + said, null, null, null) { RetryDelay = said };
            using var response = new HttpResponseMessage();
            response.Headers.TryAddWithoutValidation("retry-after", said);
            response.Headers.TryAddWithoutValidation("retry-after-ms", said);
            TimeSpan?[] waits = [RetryAfter.Parse(said, Now), RetryAfter.Read(response.Headers, error, Now), RetryAfter.Parse(said, DateTimeOffset.MinValue), RetryAfter.Parse(said, DateTimeOffset.MaxValue)];
            return waits.All(wait => wait is null || (wait >= TimeSpan.Zero && wait <= TimeSpan.FromDays(7)));
        }));
    }

    private static TimeSpan? Span(double? seconds) => seconds is { } s ? TimeSpan.FromSeconds(s) : null;

    private static TimeSpan? Read(params (string Name, string Value)[] headers) => Read("", headers);

    private static TimeSpan? Read(string body, params (string Name, string Value)[] headers)
    {
        using var response = new HttpResponseMessage(HttpStatusCode.TooManyRequests);
        foreach ((string name, string value) in headers)
        {
            response.Headers.TryAddWithoutValidation(name, value);
        }

        return RetryAfter.Read(response.Headers, ErrorBody.Read(Encoding.UTF8.GetBytes(body)), Now);
    }
}
