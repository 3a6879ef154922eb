using FastLLM.Pipeline;
using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>What is sent where a configured limit allows few requests a second: that makes few refusals to learn from.</summary>
public sealed class FewSendsTests
{
    [Theory]
    [InlineData(0.1, 0.5)]
    [InlineData(0.1, 2)]
    [InlineData(0.1, 5)]
    [InlineData(0.25, 0.5)]
    [InlineData(0.25, 2)]
    [InlineData(0.25, 5)]
    [InlineData(0.5, 0.5)]
    [InlineData(0.5, 2)]
    [InlineData(0.5, 5)]
    public void Random_AtFewSendsASecond_IsNoReasonToSlowDown(double share, double offered)
    {
        VirtualRun[] runs = Runs(() => new RandomLaw(share), offered);

        Assert.InRange(runs.Average(static run => run.Sends(60, 600)) / offered, 0.94, 1.01);
        Assert.InRange(runs.Count(static run => run.Limiter.Law.PerSecond is not null), 0, 1);
        Assert.InRange(runs.Average(static run => run.Limiter.Law.RandomShare) - share, -0.03, 0.03);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(30)]
    public void Random_WithSlowAnswers_IsNoReasonToSlowDown(double latency)
    {
        VirtualRun[] runs = [.. Enumerable.Range(1, 20).Select(seed => new VirtualRun(new RandomLaw(0.25)) { Seed = seed, Offered = 2, Latency = latency, Sigma = 0.5 }.Run(600))];

        Assert.InRange(runs.Average(static run => run.Sends(60, 600)) / 2, 0.94, 1.01);
    }

    [Theory]
    [InlineData(1, 1, 1.25, 0.6)]
    [InlineData(1, 1, 2, 0.6)]
    [InlineData(1, 2, 2, 0.85)]
    [InlineData(1, 2, 5, 0.85)]
    [InlineData(2, 1, 5, 0.7)]
    [InlineData(2, 4, 5, 0.95)]
    [InlineData(0.3, 1, 2, 0.65)]
    public void Limit_BelowFewSendsASecond_IsStillFound(double perSecond, double burst, double offered, double goodput)
    {
        VirtualRun[] runs = Runs(() => new BucketLaw(perSecond, burst), offered);

        Assert.InRange(runs.Average(static run => run.Goodput(60, 600)) / perSecond, goodput, 1.02);
        Assert.InRange(runs.Average(static run => run.Refused(60, 600)), 0, 0.02);
        Assert.All(runs, static run => Assert.True(run.Limiter.Law is { RandomShare: < 0.03, PerSecond: not null }));
    }

    [Theory]
    [InlineData(1.25)]
    [InlineData(5)]
    [InlineData(double.PositiveInfinity)]
    public void Window_BelowFewSendsASecond_IsStillFound(double offered)
    {
        VirtualRun[] runs = Runs(static () => new WindowLaw(10, 10, 3), offered);

        Assert.InRange(runs.Average(static run => run.Goodput(60, 600)), 0.9, 1.02);
        Assert.InRange(runs.Average(static run => run.Refused(60, 600)), 0, 0.04);
    }

    [Theory]
    [InlineData(0.1, null, false)]
    [InlineData(0.25, null, false)]
    [InlineData(0.1, 1.0, true)]
    [InlineData(0.25, 1.0, true)]
    public void ConfiguredLimit_WithRefusalsAtRandom_IsStillUsedUp(double share, double? wait, bool isOverloaded)
    {
        using var model = new SendingModel(new RandomServer(share, wait), latency: 0.2, new RateLimits { RequestsPerMinute = 120 }) { IsOverloaded = isOverloaded };
        model.Run(600);

        Assert.InRange(model.Arrivals.Count(static at => at >= 60) / 540.0 / 2, 0.93, 1.01);
        LearnedLimits limits = Assert.Single(model.Learned!);
        Assert.Equal((null, null), (limits.InFlight, limits.RequestsPerSecond));
        Assert.InRange(limits.RefusedAtRandom, share / 2, share * 1.5); // of one seed
    }

    private static VirtualRun[] Runs(Func<VirtualLaw> law, double offered) =>
        [.. Enumerable.Range(1, 20).Select(seed => new VirtualRun(law()) { Seed = seed, Offered = offered, RetryAfter = seed % 2 }.Run(600))];
}
