using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class ShareTestTests
{
    [Theory]
    [InlineData(0, 0, ShareLevel.Open)]
    [InlineData(1, 1, ShareLevel.Open)]
    [InlineData(3, 3, ShareLevel.High)]
    [InlineData(30, 3, ShareLevel.Open)]
    [InlineData(50, 25, ShareLevel.High)]
    [InlineData(50, 0, ShareLevel.Open)]
    [InlineData(100, 0, ShareLevel.Low)]
    [InlineData(1000, 10, ShareLevel.Low)]
    [InlineData(1000, 50, ShareLevel.High)]
    internal void Judge_OnePercentOrFive_DecidesOnceItIsSure(int sent, int refused, ShareLevel level) =>
        Assert.Equal(level, ShareTest.Judge(sent, refused, 0.01, 0.05, certainty: 4));

    [Theory]
    [InlineData(100, 30, ShareLevel.Low)]
    [InlineData(100, 45, ShareLevel.Open)]
    [InlineData(100, 60, ShareLevel.High)]
    internal void Judge_BesideNoise_ComparesWithTheNoise(int sent, int refused, ShareLevel level) =>
        Assert.Equal(level, ShareTest.Judge(sent, refused, 0.31, 0.6, certainty: 6));
}
