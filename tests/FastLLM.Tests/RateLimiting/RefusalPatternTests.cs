using FastLLM.RateLimiting;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class RefusalPatternTests
{
    private const double Interval = 0.01;
    private const double Delay = 0.001;

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.3)]
    [InlineData(0.5)]
    [InlineData(0.7)]
    public void RefusedAtRandom_IsRandom(double share) => Check.One(
        Fixed(40),
        Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            RefusalPattern pattern = Sent(400, (_, _) => random.NextDouble() < share);
            return (!pattern.IsCertainlyRegular && Math.Abs(pattern.Share - share) < 0.12)
                .Label($"{pattern.Share}, {pattern.Dispersion}, {pattern.Change}");
        }));

    [Fact]
    public void RefusedAtRandom_IsAlmostAlwaysSeen()
    {
        RefusalPattern[] patterns = [.. Enumerable.Range(0, 200).Select(static seed =>
        {
            var random = new Random(seed);
            return Sent(400, (_, _) => random.NextDouble() < 0.3);
        })];

        Assert.InRange(patterns.Count(static pattern => pattern.IsRandom), 180, 200);
        Assert.InRange(patterns.Count(static pattern => pattern.IsRegular), 0, 2);
    }

    [Theory]
    [InlineData(90)]
    [InlineData(75)]
    [InlineData(50)]
    [InlineData(20)]
    public void LimitedRate_IsRegular_AndMeasured(double perSecond)
    {
        var bucket = new BucketLaw(perSecond, 2);
        RefusalPattern pattern = Sent(400, (now, random) => Refuses(bucket, now, random));

        Assert.True(pattern.IsRegular);
        Assert.False(pattern.IsRandom);
        Assert.InRange(pattern.Rate / perSecond, 0.97, 1.03);
    }

    [Fact]
    public void LimitedRateBesideNoise_IsRegular_AndMeasured()
    {
        var law = new LawsTogether(new RandomLaw(0.2), new BucketLaw(40, 2));
        RefusalPattern pattern = Sent(400, (now, random) => Refuses(law, now, random));

        Assert.False(pattern.IsRandom);
        Assert.InRange(pattern.Rate / 40, 0.95, 1.03);
    }

    [Fact]
    public void LimitedRateBesideNoise_WhileMoreAndMoreIsSent_IsRegular()
    {
        var law = new LawsTogether(new RandomLaw(0.1), new BucketLaw(60, 2));
        RefusalPattern pattern = Sent(400, (now, random) => Refuses(law, now, random), rise: 0.002);

        Assert.True(pattern.IsRegular, $"{pattern.Dispersion}, {pattern.Unevenness}");
        Assert.False(pattern.IsRandom);
        Assert.InRange(pattern.Change, 0, 1); // a trend
    }

    [Fact]
    public void RefusedAfterABurst_IsNeither()
    {
        RefusalPattern pattern = Sent(200, static (now, _) => now > 100 * Interval);

        Assert.False(pattern.IsRandom);
        Assert.False(pattern.IsRegular);
        Assert.True(pattern.IsClustered);
    }

    [Fact]
    public void NothingIsKnown_BeforeEnoughWasSent()
    {
        RefusalPattern pattern = Sent(100, static (_, random) => random.NextDouble() < 0.5);

        Assert.False(pattern.IsRandom || pattern.IsRegular || pattern.IsClustered);
    }

    [Fact]
    public void Usual_AfterManyAcceptedSends_IsLow() => Assert.InRange(Sent(400, static (_, _) => false).Usual, 0, 0.01);

    private static Config Fixed(int tests) => Config.QuickThrowOnFailure.WithMaxTest(tests).WithReplay(20_261_128, 12_345_677);

    private static bool Refuses(VirtualLaw law, double now, Random random)
    {
        bool isRefused = law.Refuses(now, 0, random) > 0;
        if (!isRefused)
        {
            law.Accept(now);
        }

        return isRefused;
    }

    // Each send follows the one before sooner, by the rise.
    private static RefusalPattern Sent(int count, Func<double, Random, bool> refuses, double rise = 0)
    {
        var sends = new SendCounter();
        var pattern = new RefusalPattern();
        var random = new Random(count);
        double now = 0;
        for (var i = 0; i < count; i++)
        {
            now += i == 0 ? 0 : Interval / (1 + (i * rise));
            SendMark mark = sends.Begin(now);
            sends.End();
            if (refuses(now, random))
            {
                sends.Refuse(mark, now + Delay);
            }
        }

        sends.Settle(now + Interval);
        pattern.Follow(sends, now + Interval);
        return pattern;
    }
}
