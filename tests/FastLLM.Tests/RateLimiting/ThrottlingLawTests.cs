using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class ThrottlingLawTests
{
    [Fact]
    public void IsOnlyRandom_NoiseAlone_IsTrue()
    {
        Assert.True(new ThrottlingLaw(0.1, null, null).IsOnlyRandom);
        Assert.False(new ThrottlingLaw(0.1, 20, null).IsOnlyRandom);
        Assert.False(default(ThrottlingLaw).IsOnlyRandom);
    }
}
