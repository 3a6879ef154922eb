using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class ShareTestTests
{
    [Theory]
    [InlineData(0, 0, Verdict.Open)]
    [InlineData(1, 1, Verdict.Open)]
    [InlineData(3, 3, Verdict.High)]
    [InlineData(30, 3, Verdict.Open)]
    [InlineData(50, 25, Verdict.High)]
    [InlineData(50, 0, Verdict.Open)]
    [InlineData(100, 0, Verdict.Low)]
    [InlineData(1000, 10, Verdict.Low)]
    [InlineData(1000, 50, Verdict.High)]
    internal void Judge_OnePercentOrFive_DecidesOnceItIsSure(int sent, int refused, Verdict verdict) =>
        Assert.Equal(verdict, ShareTest.Judge(sent, refused, 0.01, 0.05, certainty: 4));

    [Theory]
    [InlineData(100, 30, Verdict.Low)]
    [InlineData(100, 45, Verdict.Open)]
    [InlineData(100, 60, Verdict.High)]
    internal void Judge_BesideNoise_ComparesWithTheNoise(int sent, int refused, Verdict verdict) =>
        Assert.Equal(verdict, ShareTest.Judge(sent, refused, 0.31, 0.6, certainty: 6));
}
