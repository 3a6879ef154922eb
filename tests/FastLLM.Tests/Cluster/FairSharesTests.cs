using FastLLM.Cluster.Limits;
using Xunit;

namespace FastLLM.Tests.Cluster;

public sealed class FairSharesTests
{
    [Theory]
    [InlineData(12, new double[] { 100, 100, 100 }, new double[] { 4, 4, 4 })]
    [InlineData(12, new double[] { 100, 2, 100 }, new double[] { 5, 2, 5 })]
    [InlineData(12, new double[] { 1, 2, 3 }, new double[] { 1, 2, 3 })]
    [InlineData(12, new double[] { 0, 5, 100 }, new double[] { 0, 5, 7 })]
    [InlineData(12, new double[] { }, new double[] { })]
    public void Of_AnyWants_GivesNoneMoreThanItWants(double total, double[] wants, double[] expected) =>
        Assert.Equal(expected, FairShares.Of(total, wants));
}
