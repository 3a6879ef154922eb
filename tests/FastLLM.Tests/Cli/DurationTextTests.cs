using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class DurationTextTests
{
    [Theory]
    [InlineData("200ms", 200)]
    [InlineData("1.5s", 1_500)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("3", 3_000)]
    [InlineData(" 0.25 S ", 250)]
    [InlineData("0", 0)]
    public void Parse_ValidDuration(string text, double milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), DurationText.Parse("--latency", text));

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1,5s")]
    [InlineData("1e3")]
    [InlineData("NaN")]
    [InlineData("99999999h")]
    [InlineData("1 day")]
    [InlineData("1\u001b[2Js")]
    public void Parse_InvalidDuration_NamesTheOption(string text)
    {
        string message = Assert.Throws<UsageException>(() => DurationText.Parse("--latency", text)).Message;

        Assert.StartsWith("--latency ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', message);
    }
}
