using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>
/// What is delivered and refused under each law, on virtual time. If nothing else is said: 100 in flight, answers of 100 ms.
/// </summary>
public sealed class LearningLimiterTests
{
    [Theory]
    [InlineData(0.02, 0)]
    [InlineData(0.1, 0)]
    [InlineData(0.1, 1)]
    [InlineData(0.3, 0)]
    [InlineData(0.3, 1)]
    [InlineData(0.5, 0)]
    [InlineData(0.5, 1)]
    public void Random_ShareOfAllSends_IsNoReasonToSlowDown(double share, double retryAfter)
    {
        VirtualRun run = new VirtualRun(new RandomLaw(share)) { RetryAfter = retryAfter }.Run(30);

        // A refused send holds its slot for 4 ms.
        double ideal = 1000 / (1 + (0.04 * share / (1 - share)));
        Assert.InRange(run.Goodput(5, 30) / ideal, 0.9, 1.05);
        Assert.InRange(run.Refused(5, 30) - share, -0.02, 0.03);
        Assert.Null(run.Limiter.Law.InFlight);
        Assert.Null(run.Limiter.Law.PerSecond);
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(0.5)]
    public void Random_AtEachSeed_IsTakenForALimitOnlyForAMoment(double share)
    {
        Assert.All(Enumerable.Range(1, 40), seed =>
        {
            VirtualRun run = new VirtualRun(new RandomLaw(share)) { Seed = seed }.Run(30);

            Assert.InRange(run.Goodput(5, 30) / (1000 * (1 - share)), 0.9, double.PositiveInfinity);
        });
    }

    [Theory]
    [InlineData("in flight 20", 0.92, 0.03)]
    [InlineData("in flight 50", 0.92, 0.03)]
    [InlineData("bucket 1", 0.9, 0.05)]
    [InlineData("bucket 10", 0.93, 0.02)]
    [InlineData("bucket 50", 0.93, 0.02)]
    [InlineData("bucket 1000", 0.93, 0.02)]
    [InlineData("500 in 10 s", 0.9, 0.05)]
    [InlineData("500 in any 10 s", 0.9, 0.05)]
    [InlineData("random and bucket 50", 0.85, 0.05)]
    [InlineData("random and in flight 20", 0.85, 0.05)]
    [InlineData("random and 500 in 10 s", 0.85, 0.05)]
    [InlineData("in flight 20 and bucket 100", 0.85, 0.05)]
    public void EachLaw_InHalfAMinute_IsUsedUpAndHardlyExceeded(string name, double goodput, double refused)
    {
        (Func<VirtualLaw> law, double ideal) = Known(name);
        double noise = name.StartsWith("random", StringComparison.Ordinal) ? 0.1 : 0;
        VirtualRun[] runs = [.. Enumerable.Range(1, 20).Select(seed => new VirtualRun(law()) { Seed = seed, Concurrency = ideal > 500 ? 200 : 100, RetryAfter = seed % 2 }.Run(30))];

        Assert.InRange(runs.Average(static run => run.Goodput(10, 30)) / ideal, goodput, 1.2);
        Assert.InRange(runs.Average(static run => run.Refused(10, 30)) - noise, -0.05, refused);
    }

    [Theory]
    [InlineData("random 0.5")]
    [InlineData("in flight 20")]
    [InlineData("10 in 1 s")]
    [InlineData("500 in 10 s")]
    [InlineData("500 in any 10 s")]
    [InlineData("random 0.1 and 500 in 10 s")]
    public void BusyMachine_MakesNoLawAStandstill(string name)
    {
        (Func<VirtualLaw> law, double ideal) = name switch
        {
            "random 0.5" => ((Func<VirtualLaw>)(() => new RandomLaw(0.5)), 500),
            "in flight 20" => (() => new InFlightLaw(20), 196),
            "10 in 1 s" => (() => new WindowLaw(10, 1), 10),
            "500 in 10 s" => (() => new WindowLaw(500, 10), 50),
            "500 in any 10 s" => (() => new SlidingLaw(500, 10), 50),
            _ => (() => new LawsTogether(new RandomLaw(0.1), new WindowLaw(500, 10)), 50),
        };
        Assert.All(Enumerable.Range(1, 40), seed =>
        {
            VirtualRun run = new VirtualRun(law()) { Seed = seed, IsBusy = true }.Run(60);

            Assert.InRange(run.Goodput(10, 60) / ideal, 0.6, double.PositiveInfinity);
            Assert.InRange(run.LongestFreePause, 0, 5);
        });
    }

    [Theory]
    [InlineData("bucket 1", 0.85)]
    [InlineData("bucket 10", 0.9)]
    [InlineData("bucket 50", 0.9)]
    [InlineData("in flight 20", 0.92)]
    [InlineData("500 in 10 s", 0.85)]
    [InlineData("random and bucket 50", 0.85)]
    public void ColdStart_OfAFifthOfASecond_IsSoonForgotten(string name, double goodput)
    {
        (Func<VirtualLaw> law, double ideal) = Known(name);
        VirtualRun[] runs = [.. Enumerable.Range(1, 20).Select(seed => new VirtualRun(law()) { Seed = seed, ColdStart = 0.2 }.Run(30))];

        Assert.InRange(runs.Average(static run => run.Goodput(10, 30)) / ideal, goodput, 1.2);
    }

    [Theory]
    [InlineData(20, 0.1, 0, false)]
    [InlineData(20, 0.1, 0.5, false)]
    [InlineData(20, 1, 0.5, false)]
    [InlineData(50, 0.1, 0, false)]
    [InlineData(50, 0.1, 0.5, false)]
    [InlineData(50, 1, 0.5, false)]
    [InlineData(50, 0.1, 0, true)]
    [InlineData(50, 1, 0.5, true)]
    public void InFlight_Limit_IsFoundAndUsed(int limit, double latency, double sigma, bool slowStart)
    {
        VirtualRun run = new VirtualRun(new InFlightLaw(limit)) { Latency = latency, Sigma = sigma, SlowStart = slowStart }.Run(90);

        double ideal = limit / ((latency * Math.Exp(sigma * sigma / 2)) + 0.002);
        Assert.InRange(run.Goodput(10, 90) / ideal, 0.92, 1.1);
        Assert.InRange(run.Refused(10, 90), 0, 0.03);
        Assert.InRange(run.Limiter.Law.InFlight ?? 0, limit - 1, limit + 1);
    }

    [Theory]
    [InlineData(10, 10, 0.1, 0.93, 0.02)]
    [InlineData(50, 10, 0.1, 0.93, 0.02)]
    [InlineData(50, 10, 1, 0.93, 0.02)]
    [InlineData(50, 50, 0.1, 0.93, 0.02)]
    [InlineData(300, 10, 0.1, 0.93, 0.02)]
    [InlineData(1000, 10, 0.1, 0.93, 0.02)]
    [InlineData(1000, 1000, 0.1, 0.93, 0.02)]
    [InlineData(1, 1, 0.1, 0.9, 0.05)]
    public void Bucket_OfAnyRate_IsFoundAndUsed(double perSecond, double burst, double latency, double goodput, double refused)
    {
        VirtualRun run = new VirtualRun(new BucketLaw(perSecond, burst)) { Latency = latency, Concurrency = 400 }.Run(120);

        Assert.InRange(run.Goodput(10, 120) / perSecond, goodput, 1.05);
        Assert.InRange(run.Refused(10, 120), 0, refused);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(7.5)]
    public void Window_ByTheClock_IsUsedUp(double phase)
    {
        VirtualRun run = new VirtualRun(new WindowLaw(500, 10, phase)).Run(100);

        Assert.InRange(run.Goodput(0, 100), 45, 60);
        Assert.InRange(run.Refused(10, 100), 0, 0.05);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(1)]
    public void Window_Sliding_IsUsedUp(double latency)
    {
        VirtualRun[] runs = [.. Enumerable.Range(1, 10).Select(seed => new VirtualRun(new SlidingLaw(500, 10)) { Latency = latency, Seed = seed }.Run(100))];

        Assert.InRange(runs.Average(static run => run.Goodput(10, 100)), 45, 55);
        Assert.InRange(runs.Average(static run => run.Refused(10, 100)), 0, 0.05);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(0.1)]
    public void RetryAfter_RightOrWrong_HoldsBackNobodyElse(double factor)
    {
        VirtualRun bucket = new VirtualRun(new BucketLaw(50, 10)) { RetryAfter = factor }.Run(60);
        VirtualRun window = new VirtualRun(new WindowLaw(500, 10)) { RetryAfter = factor }.Run(60);
        VirtualRun inFlight = new VirtualRun(new InFlightLaw(20)) { RetryAfter = factor }.Run(60);

        Assert.InRange(bucket.Goodput(0, 60), 45, 55);
        Assert.InRange(window.Goodput(0, 60), 40, 60);
        Assert.InRange(inFlight.Goodput(0, 60), 180, 205);
        Assert.All([bucket, window, inFlight], static run => Assert.InRange(run.Refused(10, 60), 0, 0.1));
    }

    public static TheoryData<string, double, double> Pairs => new()
    {
        { "random, bucket", 50, 0.1 },
        { "random, inFlight", 196, 0.1 },
        { "random, window", 50, 0.1 },
        { "random, sliding", 50, 0.1 },
        { "inFlight, bucket", 50, 0 },
        { "inFlight, window", 50, 0 },
        { "inFlight, sliding", 50, 0 },
        { "bucket, window", 50, 0 },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void TwoLaws_AtOnce_AreUsedUp(string names, double ideal, double noise)
    {
        VirtualLaw[] laws = [.. names.Split(", ").Select(Law)];
        VirtualRun run = new VirtualRun(new LawsTogether(laws)).Run(120);

        Assert.InRange(run.Goodput(10, 120) / ideal, names == "random, sliding" ? 0.8 : 0.85, 1.05);
        Assert.InRange(run.Refused(10, 120) - noise, -0.02, names == "random, sliding" ? 0.18 : 0.06);

        static VirtualLaw Law(string name) => name switch
        {
            "random" => new RandomLaw(0.1),
            "inFlight" => new InFlightLaw(20),
            "bucket" => new BucketLaw(50, 10),
            "window" => new WindowLaw(500, 10),
            _ => new SlidingLaw(500, 10),
        };
    }

    [Theory]
    [InlineData(0.02)]
    [InlineData(0.5)]
    public void RefusalsThatTakeAMinute_MakeNoStandstill(double share)
    {
        foreach (int seed in Enumerable.Range(1, 10))
        {
            VirtualRun run = new VirtualRun(new LawChange(new BucketLaw(5, 5), 60, new WindowLaw(300, 60))) { SlowRefusals = share, Concurrency = 1000, Seed = seed }.Run(300);

            Assert.True(run.LongestFreePause < 10, FormattableString.Invariant($"Seed {seed}: {run.LongestFreePause} s without a send."));
        }
    }

    [Fact]
    public void Change_HalvedRate_IsFollowedWithinTenSeconds()
    {
        VirtualRun run = new VirtualRun(new LawChange(new BucketLaw(100, 10), 30, new BucketLaw(50, 10))).Run(60);

        Assert.InRange(run.Goodput(30, 60), 46, 52);
        Assert.InRange(run.Refused(40, 60), 0, 0.05);
    }

    [Fact]
    public void Change_DoubledRate_IsFollowedWithinAMinute()
    {
        VirtualRun run = new VirtualRun(new LawChange(new BucketLaw(50, 10), 30, new BucketLaw(100, 10))).Run(120);

        Assert.InRange(run.Goodput(90, 120), 90, 102);
    }

    [Fact]
    public void Change_HalvedAndDoubledInFlight_IsFollowed()
    {
        VirtualLaw law = new LawChange(new InFlightLaw(40), 30, new LawChange(new InFlightLaw(20), 60, new InFlightLaw(40)));
        VirtualRun run = new VirtualRun(law) { Sigma = 0.3 }.Run(150);

        Assert.InRange(run.Goodput(40, 60), 165, 215);
        Assert.InRange(run.Goodput(120, 150), 300, 430);
    }

    [Fact]
    public void Change_NoMoreNoise_IsForgotten()
    {
        VirtualRun run = new VirtualRun(new LawChange(new RandomLaw(0.3), 20, new RandomLaw(0))).Run(60);

        Assert.InRange(run.Goodput(30, 60), 950, 1000);
        Assert.True(run.Limiter.Law.IsNone);
    }

    [Fact]
    public void Outage_IsProbed_AndNoHerdFollows()
    {
        var down = new LawChange(new RandomLaw(1), 60, new BucketLaw(100, 10));
        VirtualRun run = new VirtualRun(new LawChange(new BucketLaw(100, 10), 30, down)).Run(120);

        Assert.InRange(run.LongestPause, 0, 6);
        Assert.InRange(run.Refused(62, 120), 0, 0.05);
        Assert.InRange(run.Goodput(80, 120), 85, 102);
    }

    [Fact]
    public void Unlimited_IsNeverPaced_AndSlowStartReachesTheCeiling()
    {
        VirtualRun run = new VirtualRun(new RandomLaw(0)) { Concurrency = 1000, SlowStart = true, Latency = 0.5 }.Run(10);

        Assert.Equal(1000, run.Limiter.Limit);
        Assert.Equal(1000, run.MaxInFlight);
        Assert.True(run.Limiter.Law.IsNone);
    }

    [Fact]
    public void SlowStart_LongLatency_DoesNotStandStill()
    {
        VirtualRun run = new VirtualRun(new RandomLaw(0)) { SlowStart = true, Latency = 30 }.Run(60);

        Assert.Equal(100, run.Limiter.Limit);
        Assert.InRange(run.LongestPause, 0, 30.1); // all slots are taken until the first answers come
        Assert.InRange(run.Goodput(30, 60) * 30, 99, 101);
    }

    [Fact]
    public void FirstSecond_WastesFewSends()
    {
        VirtualRun bucket = new VirtualRun(new BucketLaw(1, 1)).Run(1);
        VirtualRun inFlight = new VirtualRun(new InFlightLaw(20)).Run(1);

        // 100 go at once, before any refusal can come.
        Assert.InRange(bucket.Refused(0, 1) * bucket.Ends(0, 1), 99, 260);
        Assert.InRange(inFlight.Refused(0, 1) * inFlight.Ends(0, 1), 80, 260);
    }

    private static (Func<VirtualLaw> Law, double Ideal) Known(string name) => name switch
    {
        "in flight 20" => (static () => new InFlightLaw(20), 196),
        "in flight 50" => (static () => new InFlightLaw(50), 490),
        "bucket 1" => (static () => new BucketLaw(1, 1), 1),
        "bucket 10" => (static () => new BucketLaw(10, 10), 10),
        "bucket 50" => (static () => new BucketLaw(50, 50), 50),
        "bucket 1000" => (static () => new BucketLaw(1000, 1000), 1000),
        "500 in 10 s" => (static () => new WindowLaw(500, 10, 3), 50),
        "500 in any 10 s" => (static () => new SlidingLaw(500, 10), 50),
        "random and bucket 50" => (static () => new LawsTogether(new RandomLaw(0.1), new BucketLaw(50, 50)), 50),
        "random and in flight 20" => (static () => new LawsTogether(new RandomLaw(0.1), new InFlightLaw(20)), 196),
        "random and 500 in 10 s" => (static () => new LawsTogether(new RandomLaw(0.1), new WindowLaw(500, 10, 3)), 50),
        _ => (static () => new LawsTogether(new InFlightLaw(20), new BucketLaw(100, 100)), 100),
    };
}
