using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class ThrottlingLawTests
{
    [Fact]
    public void ToString_EachLaw_SaysWhatTheProviderTakes()
    {
        Assert.Equal("", default(ThrottlingLaw).ToString());
        Assert.Equal("refuses 10 % at random", new ThrottlingLaw(0.104, null, null).ToString());
        Assert.Equal("about 20 in flight", new ThrottlingLaw(0, 20, null).ToString());
        Assert.Equal("about 49 requests/s", new ThrottlingLaw(0, null, 48.73).ToString());
        Assert.Equal("about 1200 requests/s", new ThrottlingLaw(0, null, 1243).ToString());
        Assert.Equal("about 0.48 requests/s", new ThrottlingLaw(0, null, 0.4812).ToString());
        Assert.Equal("about 20 in flight, about 50 requests/s, refuses 30 % at random", new ThrottlingLaw(0.3, 20, 50).ToString());
    }

    [Fact]
    public void IsOnlyRandom_NoiseAlone_IsTrue()
    {
        Assert.True(new ThrottlingLaw(0.1, null, null).IsOnlyRandom);
        Assert.False(new ThrottlingLaw(0.1, 20, null).IsOnlyRandom);
        Assert.False(default(ThrottlingLaw).IsOnlyRandom);
    }
}
