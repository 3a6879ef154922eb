using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class BottleneckTextTests
{
    [Fact]
    public void Percentages_AddUpTo100_WhateverTheShares()
    {
        var random = new Random(3);
        for (var round = 0; round < 500; round++)
        {
            double[] parts = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.NextDouble())];
            var shares = parts.Select((part, i) => (Factor: (Bottleneck)(i + 1), Share: part / parts.Sum())).ToDictionary(row => row.Factor, row => row.Share);

            IReadOnlyList<(Bottleneck Factor, int Percent)> percentages = BottleneckText.Percentages(shares);

            Assert.Equal(100, percentages.Sum(row => row.Percent));
            Assert.All(percentages, row => Assert.InRange(row.Percent - (shares[row.Factor] * 100), -1, 1));
        }

        Assert.Empty(BottleneckText.Percentages(new Dictionary<Bottleneck, double>()));
    }

    [Fact]
    public void EveryFactor_HasAName_AnIdAndAdviceOfItsOwn()
    {
        Bottleneck[] factors = [.. Enum.GetValues<Bottleneck>().Where(factor => factor != Bottleneck.None)];

        Assert.Equal(factors.Length, factors.Select(BottleneckText.Name).Distinct().Count());
        Assert.Equal(factors.Length, factors.Select(BottleneckText.Id).Distinct().Count());
        Assert.Equal(factors.Length, factors.Select(factor => Advice(factor)).Distinct().Count());
        Assert.Contains("--concurrency", Advice(Bottleneck.Concurrency), StringComparison.Ordinal);
        Assert.Contains("--rpm", Advice(Bottleneck.RequestsPerMinute), StringComparison.Ordinal);
    }

    [Fact]
    public void WhereTheNumberInFlightIsLearnt_NobodyIsToldToHaveItLearnt()
    {
        var shares = new Dictionary<Bottleneck, double> { [Bottleneck.Concurrency] = 1 };

        Assert.DoesNotContain("auto", BottleneckText.Advice(new TokenStats { LimitedByShares = shares, ConcurrencyLimit = 40, ConcurrencyCeiling = 1000 }), StringComparison.Ordinal);
        Assert.Contains("auto", BottleneckText.Advice(new TokenStats { LimitedByShares = shares, ConcurrencyLimit = 40, ConcurrencyCeiling = 40 }), StringComparison.Ordinal);
    }

    private static string? Advice(Bottleneck factor) =>
        BottleneckText.Advice(new TokenStats { LimitedByShares = new Dictionary<Bottleneck, double> { [factor] = 1 } });
}
