using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Keys;
using Xunit;

namespace FastLLM.Tests.Keys;

public sealed class DecimalTextTests
{
    [Theory]
    [InlineData("0", "0")]
    [InlineData("-0", "0")]
    [InlineData("0.0", "0")]
    [InlineData("-0.00e5", "0")]
    [InlineData("0e99999999999999999999", "0")]
    [InlineData("1", "1")]
    [InlineData("1.0", "1")]
    [InlineData("1e0", "1")]
    [InlineData("10e-1", "1")]
    [InlineData("0.001E+3", "1")]
    [InlineData("-1.50", "-1.5")]
    [InlineData("0.7", "0.7")]
    [InlineData("7e-1", "0.7")]
    [InlineData("120e-1", "12")]
    [InlineData("1.25e1", "12.5")]
    [InlineData("0.0120", "0.012")]
    [InlineData("100", "100")]
    [InlineData("1e2", "100")]
    [InlineData("10.010e1", "100.1")]
    [InlineData("1e0000000000000000000000005", "100000")]
    [InlineData("9007199254740993", "9007199254740993")]
    public void TryAppend_EqualValues_HaveOneText(string number, string canonical) => Assert.Equal(canonical, Append(number));

    [Theory]
    [InlineData("123456789012345678901234567890", "123456789012345678901234567890")]
    [InlineData("1234567890123456789012345678901", "1.234567890123456789012345678901e+30")]
    [InlineData("1e29", "100000000000000000000000000000")]
    [InlineData("1e30", "1e+30")]
    [InlineData("1000000000000000000000000000000", "1e+30")]
    [InlineData("-1000000000000000000000000000000.0", "-1e+30")]
    [InlineData("12345678901234567890.1234567890", "12345678901234567890.123456789")]
    [InlineData("12345678901234567890.1234567891", "12345678901234567890.1234567891")]
    [InlineData("12345678901234567890.12345678911", "1.234567890123456789012345678911e+19")]
    [InlineData("1e-29", "0.00000000000000000000000000001")]
    [InlineData("1e-30", "1e-30")]
    [InlineData("0.000000000000000000000000000001", "1e-30")]
    [InlineData("12e-29", "0.00000000000000000000000000012")]
    [InlineData("12e-30", "1.2e-29")]
    [InlineData("1.20e400", "1.2e+400")]
    [InlineData("0.00012e-400", "1.2e-404")]
    public void TryAppend_MoreThan30Digits_UsesExponent(string number, string canonical) => Assert.Equal(canonical, Append(number));

    [Theory]
    [InlineData("1e1000000000", "1e+1000000000")]
    [InlineData("0.1e1000000001", "1e+1000000000")]
    [InlineData("-10e-1000000001", "-1e-1000000000")]
    [InlineData("1e1000000001", null)]
    [InlineData("10e1000000000", null)]
    [InlineData("1e-1000000001", null)]
    [InlineData("0.1e-1000000000", null)]
    [InlineData("1e99999999999999999999999999999999", null)]
    [InlineData("1e-99999999999999999999999999999999", null)]
    public void TryAppend_LargeExponent_WritesNoZeros(string number, string? canonical) => Assert.Equal(canonical, Append(number));

    [Fact]
    public void TryAppend_LongNumber_KeepsEveryDigit()
    {
        string digits = "7" + new string('1', 1_000_000) + "3";

        Assert.Equal($"7.{digits[1..]}e+1000001", Append(digits));
        Assert.Equal($"7.{digits[1..]}e+1000001", Append("0.000" + digits + "000e1000005"));
        Assert.Equal("5", Append("0." + new string('0', 1_000_000) + "5" + "e1000001"));
    }

    [Fact]
    public void Write_ExponentOutOfBounds_ThrowsWithOffset()
    {
        JsonException error = Assert.Throws<JsonException>(() => CanonicalJsonTests.Canonical("{\"a\":[1,1e1000000001]}"));

        Assert.Contains("number at byte 8 ", error.Message, StringComparison.Ordinal);
    }

    private static string? Append(string number)
    {
        var output = new ByteBuffer();
        return DecimalText.TryAppend(output, Encoding.UTF8.GetBytes(number)) ? Encoding.UTF8.GetString(output.Written) : null;
    }
}
