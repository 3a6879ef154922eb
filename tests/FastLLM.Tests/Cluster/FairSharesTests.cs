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

    [Theory]
    [InlineData(new double[] { 50, 50 }, new double[] { 100, 100 }, new double[] { 25, 25 })]
    [InlineData(new double[] { 50, 10, 10 }, new double[] { 100, 100, 100 }, new double[] { 40, 5, 5 })]
    [InlineData(new double[] { 50, 10 }, new double[] { 100, 4 }, new double[] { 46, 4 })]
    [InlineData(new double[] { 50, 40, 40 }, new double[] { 100, 100, 100 }, new double[] { 50.0 / 3, 50.0 / 3, 50.0 / 3 })]
    public void Nested_LimitsOfTheirOwn_AreKeptByEachAndByAll(double[] limits, double[] wants, double[] expected) =>
        Assert.Equal(expected, FairShares.Nested(limits, wants), static (one, other) => Math.Abs(one - other) < 1e-9);
}
