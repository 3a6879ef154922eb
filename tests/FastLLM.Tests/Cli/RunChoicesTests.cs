using System.Net;
using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

/// <summary>Parsing of <c>--max-errors</c>, and the notice about a proxy.</summary>
public sealed class RunChoicesTests
{
    [Theory]
    [InlineData("0", 0L, null)]
    [InlineData("1,000", 1000L, null)]
    [InlineData("5%", null, 0.05)]
    [InlineData("2.5%", null, 0.025)]
    [InlineData("100%", null, 1.0)]
    [InlineData(null, null, null)]
    public void MaxErrors_NumberOrPercentage(string? text, long? errors, double? share)
    {
        var sending = new RequestManagerOptions();
        ErrorLimit.Apply(text, sending);

        Assert.Equal((errors, share), (sending.MaxErrors, sending.MaxErrorShare));
    }

    [Theory]
    [InlineData("")]
    [InlineData("%")]
    [InlineData("-1%")]
    [InlineData("1e3")]
    [InlineData("NaN%")]
    [InlineData("5 rows")]
    public void MaxErrors_Invalid_IsRejected(string text) =>
        Assert.Contains("--max-errors", Assert.Throws<UsageException>(() => ErrorLimit.Apply(text, new RequestManagerOptions())).Message, StringComparison.Ordinal);

    [Fact]
    public void Proxy_IsNamedWithoutCredentials()
    {
        var proxy = new WebProxy("http://proxy.example:3128") { Credentials = new NetworkCredential("user", "hush") };
        string said = ProxyNotice.For(new Uri("https://api.example.com/v1"), proxy)!;

        Assert.Contains("api.example.com go through the proxy http://proxy.example:3128 ", said, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", said + ProxyNotice.For(new Uri("https://api.example.com/v1"), new WebProxy("http://user:hush@proxy.example:3128")), StringComparison.Ordinal);
    }

    [Fact]
    public void NoProxy_NoNotice()
    {
        Assert.Null(ProxyNotice.For(new Uri("https://api.example.com/v1"), new WebProxy()));
        Assert.Null(ProxyNotice.For(new Uri("http://localhost:8000/v1"), new WebProxy("http://proxy.example:3128") { BypassList = ["localhost"] }));
    }
}
