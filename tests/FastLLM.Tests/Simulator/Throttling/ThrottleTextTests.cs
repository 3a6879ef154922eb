using FastLLM.Simulator;
using Xunit;

namespace FastLLM.Tests.Simulators.Throttling;

public sealed class ThrottleTextTests
{
    [Theory]
    [InlineData("random:10%")]
    [InlineData("random:0.1", "random:10%")]
    [InlineData("random:0.25%")]
    [InlineData("concurrency:20")]
    [InlineData("window:500/10s")]
    [InlineData("window:3000/1min", "window:3000/min")]
    [InlineData("window:3000/60s", "window:3000/min")]
    [InlineData("sliding:500/10s")]
    [InlineData("sliding:9/1.5m", "sliding:9/90s")]
    [InlineData("sliding:9/1.5s", "sliding:9/1500ms")]
    [InlineData("bucket:50/s,burst:10")]
    [InlineData("bucket:50/s", "bucket:50/s,burst:50")]
    [InlineData("bucket:3000/min", "bucket:3000/min,burst:50")]
    [InlineData("bucket:0.5/s", "bucket:0.5/s,burst:1")]
    [InlineData("bucket:7200/2h", "bucket:7200/2h,burst:1")]
    public void ParseLaw_WellFormed_RoundTrips(string text, string? canonical = null)
    {
        string written = ThrottleLaw.Parse(text).ToString();
        Assert.Equal(canonical ?? text, written);
        Assert.Equal(ThrottleLaw.Parse(text), ThrottleLaw.Parse(written));
    }

    [Theory]
    [InlineData("", "random:10%, concurrency:20, window:500/10s, sliding:500/10s or bucket:50/s,burst:10.")]
    [InlineData("rpm:5", "Use random:10%, concurrency:20,")]
    [InlineData("random", "Use random:P%")]
    [InlineData("random:", "Use random:P%")]
    [InlineData("random:x%", "Use random:P%")]
    [InlineData("random:-1%", "Use random:P%")]
    [InlineData("random:120%", "share must be between 0 and 1. Use random:P%")]
    [InlineData("concurrency:2.5", "Use concurrency:N")]
    [InlineData("concurrency:0", "limit must be between 1 and 10000000. Use concurrency:N")]
    [InlineData("window:500", "Use window:N/TIME")]
    [InlineData("window:500/10", "Use window:N/TIME")]
    [InlineData("window:500/0s", "period must be between")]
    [InlineData("sliding:500/99h", "period must be between")]
    [InlineData("sliding:500/1e300s", "Use sliding:N/TIME")]
    [InlineData("bucket:50", "Use bucket:N/TIME")]
    [InlineData("bucket:50/s,burst", "Use bucket:N/TIME")]
    [InlineData("bucket:50/s,burst:", "Use bucket:N/TIME")]
    [InlineData("bucket:50/s,burst:0", "burst must be between 1 and 10000000. Use bucket:N/TIME")]
    [InlineData("bucket:0/s", "rate must be more than 0")]
    public void ParseLaw_Malformed_NamesTextAndForms(string text, string says)
    {
        FormatException error = Assert.Throws<FormatException>(() => ThrottleLaw.Parse(text));
        Assert.StartsWith($"\"{text}\" is not a throttling law", error.Message, StringComparison.Ordinal);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("(Parameter", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ParseChange_WellFormed_HasTimeAndLaws()
    {
        ThrottleChange change = ThrottleChange.Parse("1.5min=bucket:25/s,burst:5");
        Assert.Equal((90, "bucket:25/s,burst:5"), (change.At.TotalSeconds, Assert.Single(change.Laws).ToString()));
        Assert.Empty(ThrottleChange.Parse("0s=none").Laws);
    }

    [Theory]
    [InlineData("20s", "Use TIME=LAW or TIME=none")]
    [InlineData("20=none", "Use TIME=LAW or TIME=none")]
    [InlineData("soon=none", "Use TIME=LAW or TIME=none")]
    [InlineData("25h=none", "at must be between")]
    public void ParseChange_Malformed_NamesTextAndForms(string text, string says)
    {
        FormatException error = Assert.Throws<FormatException>(() => ThrottleChange.Parse(text));
        Assert.StartsWith($"\"{text}\" is not a change of throttling", error.Message, StringComparison.Ordinal);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ParseChange_WithBadLaw_NamesTheLaw()
    {
        FormatException error = Assert.Throws<FormatException>(() => ThrottleChange.Parse("1s=bucket:x"));
        Assert.StartsWith("\"bucket:x\" is not", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ParseRetryAfter_WellFormed_GivesTheRule()
    {
        Assert.Equal(ThrottleRetryAfter.Always(TimeSpan.FromSeconds(1.5)), ThrottleRetryAfter.Parse("1.5"));
        Assert.Equal(ThrottleRetryAfter.Always(TimeSpan.FromSeconds(0.25)), ThrottleRetryAfter.Parse("250ms"));
        Assert.Equal(ThrottleRetryAfter.None, ThrottleRetryAfter.Parse("none"));
        Assert.Equal(ThrottleRetryAfter.Wrong(0.1), ThrottleRetryAfter.Parse("wrong:0.1x"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("soon")]
    [InlineData("wrong")]
    [InlineData("wrong:10")]
    [InlineData("wrong:0x")]
    [InlineData("wrong:2000x")]
    [InlineData("99999999")]
    public void ParseRetryAfter_Malformed_NamesTextAndForms(string text)
    {
        FormatException error = Assert.Throws<FormatException>(() => ThrottleRetryAfter.Parse(text));
        Assert.StartsWith($"\"{text}\" is not a rule for Retry-After", error.Message, StringComparison.Ordinal);
        Assert.Contains("Use a time such as 1 (seconds) or 500ms, none, wrong:0.1x or wrong:10x.", error.Message, StringComparison.Ordinal);
    }
}
