using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>Laws that are easily taken for others: by a client that is slow at first, or that has learned the wrong limit.</summary>
public sealed class LawMistakesTests
{
    [Theory]
    [InlineData("random 0.3", 700, 0.9, 0.33)]
    [InlineData("random 0.5", 500, 0.9, 0.53)]
    [InlineData("in flight 20", 196, 0.92, 0.03)]
    [InlineData("in flight 50", 490, 0.92, 0.03)]
    [InlineData("bucket 50", 50, 0.93, 0.03)]
    [InlineData("in flight 20 and bucket 100", 100, 0.85, 0.05)]
    public void SlowFirstSends_HideNoLaw(string name, double ideal, double goodput, double refused)
    {
        Func<VirtualLaw> law = name switch
        {
            "random 0.3" => static () => new RandomLaw(0.3),
            "random 0.5" => static () => new RandomLaw(0.5),
            "in flight 20" => static () => new InFlightLaw(20),
            "in flight 50" => static () => new InFlightLaw(50),
            "bucket 50" => static () => new BucketLaw(50, 50),
            _ => static () => new LawsTogether(new InFlightLaw(20), new BucketLaw(100, 100)),
        };
        VirtualRun[] runs =
            [.. Enumerable.Range(1, 40).Select(seed => new VirtualRun(law()) { Seed = seed, FirstSend = 0.02, Sigma = 0.1 }.Run(20))];

        Assert.InRange(runs.Count(run => run.Goodput(5, 20) < goodput * ideal), 0, 2);
        Assert.InRange(runs.Average(static run => run.Refused(10, 20)), 0, refused);
    }

    [Theory]
    [InlineData(20, 120)]
    [InlineData(20, 170)]
    [InlineData(50, 400)]
    public void InFlightLimit_TakenForARate_IsFoundOnceMoreIsTried(int most, double rate)
    {
        VirtualRun[] runs = Learned(() => new InFlightLaw(most), new Limits(100, false, rate), seconds: 60);

        Assert.All(runs, run => Assert.InRange(run.Limiter.Law.InFlight ?? 0, most - 1, most + 1));
        Assert.All(runs, static run => Assert.Null(run.Limiter.Law.PerSecond));
    }

    [Theory]
    [InlineData(20)]
    [InlineData(50)]
    public void InFlightLimit_OneTooHigh_IsLoweredByOne(int most)
    {
        VirtualRun[] runs = Learned(() => new InFlightLaw(most), new Limits(most + 1, true, double.PositiveInfinity), seconds: 10);

        Assert.All(runs, run => Assert.InRange(run.Goodput(3, 10) / (most * 9.8), 0.92, 1.02));
        Assert.All(runs, static run => Assert.Null(run.Limiter.Law.PerSecond));
    }

    [Fact]
    public void Rate_TakenForALimitInFlight_CostsFewRefusals()
    {
        VirtualRun[] runs = Learned(static () => new BucketLaw(50, 50), new Limits(5, true, double.PositiveInfinity), seconds: 40);

        Assert.InRange(runs.Average(static run => run.Refused(5, 40)), 0, 0.06);
    }

    [Fact]
    public void Rate_ALittleTooHigh_IsLoweredWhenMoreIsTried()
    {
        VirtualRun[] runs = Learned(static () => new BucketLaw(50, 50), new Limits(100, false, 52), seconds: 40);

        Assert.InRange(runs.Average(static run => run.Refused(20, 40)), 0, 0.015);
        Assert.InRange(runs.Average(static run => run.Goodput(20, 40)), 47.5, 50.5);
    }

    // What is known after a second. The client knows of nothing that was refused before.
    private static VirtualRun[] Learned(Func<VirtualLaw> law, Limits limits, double seconds) =>
    [
        .. Enumerable.Range(1, 20).Select(seed => new VirtualRun(new LawChange(new RandomLaw(0), 1, law()))
        {
            Seed = seed,
            Sigma = 0.1,
            EachSecond = (second, run) =>
            {
                if (second == 1)
                {
                    run.Limiter.Adopt(limits, noise: 0, follows: false, hasGrown: false, second);
                }
            },
        }.Run(seconds)),
    ];
}
