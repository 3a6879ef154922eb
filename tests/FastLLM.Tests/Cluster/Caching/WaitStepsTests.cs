using FastLLM.Cluster.Caching;
using Xunit;

namespace FastLLM.Tests.Cluster.Caching;

/// <summary>A machine that waits for another looks soon at first, and seldom later.</summary>
public sealed class WaitStepsTests
{
    [Theory]
    [InlineData(0, 10)]
    [InlineData(40, 10)]
    [InlineData(100, 25)]
    [InlineData(1000, 250)]
    [InlineData(60_000, 1000)]
    public void After_GrowsWithTheWait(int waited, int step) =>
        Assert.Equal(TimeSpan.FromMilliseconds(step), WaitSteps.After(TimeSpan.FromMilliseconds(waited)));
}
