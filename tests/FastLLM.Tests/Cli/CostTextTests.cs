using System.Globalization;
using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class CostTextTests
{
    [Theory]
    [InlineData("0", "$0.00")]
    [InlineData("1234.567", "$1,234.57")]
    [InlineData("0.9999", "$1.00")]
    [InlineData("0.5", "$0.50")]
    [InlineData("0.1234", "$0.123")]
    [InlineData("0.01234", "$0.0123")]
    [InlineData("0.0000012345", "$0.00000123")]
    [InlineData("0.00000000001", "$0.00")]
    public void Dollars_KeepThreeSignificantDigits(string amount, string text)
    {
        Assert.Equal(text, CostText.Dollars(decimal.Parse(amount, CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData("2.50", "2.50")]
    [InlineData("$3", "3")]
    [InlineData("0", "0")]
    public void Parse_ValidAmount(string text, string amount)
    {
        Assert.Equal(decimal.Parse(amount, CultureInfo.InvariantCulture), CostText.Parse("--max-cost", text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("1,50")]
    [InlineData("1e3")]
    [InlineData("much")]
    [InlineData("99999999999")]
    public void Parse_InvalidAmount_NamesTheOption(string text)
    {
        Assert.Contains("--max-cost", Assert.Throws<UsageException>(() => CostText.Parse("--max-cost", text)).Message, StringComparison.Ordinal);
    }
}
