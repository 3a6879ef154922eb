using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class BottleneckTextTests
{
    [Fact]
    public void Percentages_AnyShares_AddUpTo100()
    {
        var random = new Random(3);
        for (var round = 0; round < 500; round++)
        {
            double[] parts = [.. Enumerable.Range(0, random.Next(1, 8)).Select(_ => random.NextDouble())];
            var shares = parts.Select((part, i) => (Bottleneck: (Bottleneck)(i + 1), Share: part / parts.Sum())).ToDictionary(row => row.Bottleneck, row => row.Share);

            IReadOnlyList<(Bottleneck Bottleneck, int Percent)> percentages = BottleneckText.Percentages(shares);

            Assert.Equal(100, percentages.Sum(row => row.Percent));
            Assert.All(percentages, row => Assert.InRange(row.Percent - (shares[row.Bottleneck] * 100), -1, 1));
        }

        Assert.Empty(BottleneckText.Percentages(new Dictionary<Bottleneck, double>()));
    }

    [Fact]
    public void EveryBottleneck_HasItsOwnNameIdAndAdvice()
    {
        Bottleneck[] bottlenecks = [.. Enum.GetValues<Bottleneck>().Where(value => value != Bottleneck.None)];

        Assert.Equal(bottlenecks.Length, bottlenecks.Select(BottleneckText.Name).Distinct().Count());
        Assert.Equal(bottlenecks.Length, bottlenecks.Select(BottleneckText.Id).Distinct().Count());
        Assert.Equal(bottlenecks.Length, bottlenecks.Select(value => Advice(value)).Distinct().Count());
        Assert.Contains("--concurrency", Advice(Bottleneck.Concurrency), StringComparison.Ordinal);
        Assert.Contains("--rpm", Advice(Bottleneck.RequestsPerMinute), StringComparison.Ordinal);
    }

    [Fact]
    public void Advice_AdaptiveConcurrency_DoesNotSuggestAuto()
    {
        var shares = new Dictionary<Bottleneck, double> { [Bottleneck.Concurrency] = 1 };

        Assert.DoesNotContain("auto", BottleneckText.Advice(new TokenStats { LimitedByShares = shares, ConcurrencyLimit = 40, ConcurrencyCeiling = 1000 }), StringComparison.Ordinal);
        Assert.Contains("auto", BottleneckText.Advice(new TokenStats { LimitedByShares = shares, ConcurrencyLimit = 40, ConcurrencyCeiling = 40 }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.1, null, null, "refuses 10 % at random", null)]
    [InlineData(0, 20, null, "about 20 in flight", "--concurrency 20")]
    [InlineData(0, null, 50.2, "about 50 requests/s", "--rpm 3000")]
    [InlineData(0, null, 0.5, "about 0.5 requests/s", "--rpm 30")]
    [InlineData(0.25, 7, 3.33, "about 7 in flight, about 3.3 requests/s, refuses 25 % at random", "--concurrency 7 --rpm 200")]
    public void Learned_NamesTheLawAndTheOptions(double random, int? inFlight, double? perSecond, string law, string? options)
    {
        var limits = new LearnedLimits { Model = "m", RefusedAtRandom = random, InFlight = inFlight, RequestsPerSecond = perSecond };
        var stats = new TokenStats { LearnedLimits = [limits] };

        Assert.Equal(law, Assert.Single(BottleneckText.Learned(stats, 5)));
        Assert.Equal(options is null ? null : $"To skip the learning next time, use {options}.", BottleneckText.ConfigureLearned(stats));
    }

    [Fact]
    public void Learned_SeveralModels_AreNamed_AndSuggestNoOptions()
    {
        LearnedLimits[] limits = [.. "abc".Select(model => new LearnedLimits { Model = $"{model}", InFlight = 5 })];
        var stats = new TokenStats { LearnedLimits = limits };

        Assert.Equal(["a: about 5 in flight", "b: about 5 in flight"], BottleneckText.Learned(stats, 2));
        Assert.Null(BottleneckText.ConfigureLearned(stats));
    }

    private static string? Advice(Bottleneck bottleneck) =>
        BottleneckText.Advice(new TokenStats { LimitedByShares = new Dictionary<Bottleneck, double> { [bottleneck] = 1 } });
}
