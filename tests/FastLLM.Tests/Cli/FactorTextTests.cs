using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class FactorTextTests
{
    [Fact]
    public void Percentages_AddUpTo100_WhateverTheShares()
    {
        var random = new Random(3);
        for (var round = 0; round < 500; round++)
        {
            double[] parts = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.NextDouble())];
            var shares = parts.Select((part, i) => (Factor: (LimitingFactor)(i + 1), Share: part / parts.Sum())).ToDictionary(row => row.Factor, row => row.Share);

            IReadOnlyList<(LimitingFactor Factor, int Percent)> percentages = FactorText.Percentages(shares);

            Assert.Equal(100, percentages.Sum(row => row.Percent));
            Assert.All(percentages, row => Assert.InRange(row.Percent - (shares[row.Factor] * 100), -1, 1));
        }

        Assert.Empty(FactorText.Percentages(new Dictionary<LimitingFactor, double>()));
    }

    [Fact]
    public void EveryFactor_HasAName_AnIdAndAdviceOfItsOwn()
    {
        LimitingFactor[] factors = [.. Enum.GetValues<LimitingFactor>().Where(factor => factor != LimitingFactor.None)];

        Assert.Equal(factors.Length, factors.Select(FactorText.Name).Distinct().Count());
        Assert.Equal(factors.Length, factors.Select(FactorText.Id).Distinct().Count());
        Assert.Equal(factors.Length, factors.Select(factor => Advice(factor)).Distinct().Count());
        Assert.Contains("--concurrency", Advice(LimitingFactor.Concurrency), StringComparison.Ordinal);
        Assert.Contains("--rpm", Advice(LimitingFactor.RequestsPerMinute), StringComparison.Ordinal);
    }

    [Fact]
    public void WhereTheNumberInFlightIsLearnt_NobodyIsToldToHaveItLearnt()
    {
        var shares = new Dictionary<LimitingFactor, double> { [LimitingFactor.Concurrency] = 1 };

        Assert.DoesNotContain("auto", FactorText.Advice(new TokenStats { LimitedByShares = shares, ConcurrencyLimit = 40, ConcurrencyCeiling = 1000 }), StringComparison.Ordinal);
        Assert.Contains("auto", FactorText.Advice(new TokenStats { LimitedByShares = shares, ConcurrencyLimit = 40, ConcurrencyCeiling = 40 }), StringComparison.Ordinal);
    }

    private static string? Advice(LimitingFactor factor) =>
        FactorText.Advice(new TokenStats { LimitedByShares = new Dictionary<LimitingFactor, double> { [factor] = 1 } });
}
