using FastLLM.Cluster.Limits;
using FastLLM.RateLimiting;
using FastLLM.Tests.RateLimiting;
using Xunit;

namespace FastLLM.Tests.Cluster;

/// <summary>What four workers send together where the provider's limit is not configured, on virtual time. If nothing else is said: 100 in
/// flight each, answers of 100 ms.</summary>
public sealed class SharedLearningTests
{
    [Theory]
    [InlineData(50, 10, 4, 0.03)]
    [InlineData(50, 50, 4, 0.035)]
    [InlineData(1_000, 50, 4, 0.03)]
    [InlineData(50, 10, 1, 0.03)]
    [InlineData(50, 10, 8, 0.03)]
    public void Bucket_IsFoundAndUsedTogether(double perSecond, double burst, int workers, double refused)
    {
        VirtualCluster[] runs = [.. Enumerable.Range(1, 8).Select(seed => new VirtualCluster(new BucketLaw(perSecond, burst), workers) { Seed = seed }.Run(180))];

        Assert.All(runs, run => Assert.InRange(run.Goodput(20, 180) / perSecond, 0.9, 1.02));
        Assert.InRange(runs.Average(static run => run.Refused(20, 180)), 0, refused);
    }

    [Fact]
    public void InFlight_IsUsedTogether()
    {
        VirtualCluster[] runs = [.. Enumerable.Range(1, 5).Select(static seed => new VirtualCluster(new InFlightLaw(20), 4) { Seed = seed }.Run(180))];

        Assert.All(runs, static run => Assert.InRange(run.Goodput(20, 180) / 196, 0.88, 1.02));
        Assert.All(runs, static run => Assert.InRange(run.Refused(20, 180), 0, 0.03));
        Assert.InRange(runs.Average(static run => run.Refused(20, 180)), 0, 0.01);
    }

    [Fact]
    public void Random_IsNoReasonToSlowDown()
    {
        Assert.All(Enumerable.Range(1, 5), static seed =>
        {
            VirtualCluster run = new VirtualCluster(new RandomLaw(0.1), 4) { Seed = seed }.Run(180);

            Assert.InRange(run.Goodput(30, 180) / 4_000, 0.85, 1);
            Assert.InRange(run.Refused(30, 180), 0.08, 0.12);
            Assert.Null(run.Law!.PerSecond);
        });
    }

    [Fact]
    public void Workers_ThatComeAndGo_AreNoticedWithinFiveSeconds()
    {
        // The first worker, which may lead, is killed after a minute; another one starts 30 s later.
        VirtualCluster run = new VirtualCluster(new BucketLaw(50, 10), 4)
        {
            Lives = static worker => worker switch
            {
                0 => (0, 60),
                3 => (90, double.PositiveInfinity),
                _ => (0, double.PositiveInfinity),
            },
        }.Run(150);

        Assert.InRange(run.Goodput(65, 90), 42, 51);
        Assert.InRange(run.Goodput(92, 95, worker: 3), 3, 51);
        Assert.InRange(run.Refused(90, 93), 0, 0.1); // the new one does not overrun what the others keep
        Assert.InRange(run.Goodput(95, 150), 42, 51);
        Assert.InRange(run.Refused(65, 150), 0, 0.05);
    }

    [Theory]
    [InlineData(20, false)]
    [InlineData(80, true)]
    public void Leader_ThatSeesNoLimit_IsRightOnlyIfItSentMoreThanItsShare(double accepted, bool isForgotten)
    {
        var state = new LimitState { Leader = "one", Law = new LearnedLaw(null, 100, 0) };
        var leader = new Member("one", 10, 10, 13, [], 0, Permits.Unlimited, 0.5, accepted, 5);
        var report = new LearnedReport(true, true, null, null, 0, Permits.Unlimited, accepted, 5);

        (LimitState after, _, LearnedGrant grant) = SharedLearning.Decide(state, [], leader, report, 10, leaves: false);

        Assert.Equal(isForgotten ? null : 100.0, after.Law!.PerSecond);
        Assert.Equal(!isForgotten, grant.IsCorrected);
    }

    [Fact]
    public void DatabaseAway_SharesHold()
    {
        VirtualCluster run = new VirtualCluster(new BucketLaw(50, 10), 4) { Away = (60, 120) }.Run(180);

        Assert.InRange(run.Goodput(60, 120), 40, 51);
        Assert.InRange(run.Goodput(125, 180), 40, 51);
        Assert.InRange(run.Refused(60, 120), 0, 0.15);
    }

    [Fact]
    public void Limit_ThatDoubles_IsFollowedWithinAMinute()
    {
        VirtualCluster run = new VirtualCluster(new LawChange(new BucketLaw(50, 10), 60, new BucketLaw(100, 10)), 4).Run(180);

        Assert.InRange(run.Goodput(130, 180), 85, 102);
    }

    [Fact]
    public void Limit_ThatHalves_IsFollowed()
    {
        Assert.All(Enumerable.Range(1, 8), static seed =>
        {
            var change = new LawChange(new BucketLaw(100, 10), 60, new BucketLaw(50, 10));
            VirtualCluster run = new VirtualCluster(change, 4) { Seed = seed }.Run(180);

            Assert.InRange(run.Goodput(75, 180), 44, 51);
            Assert.True(run.Refused(75, 180) <= 0.06, $"{run.Refused(75, 180):P1}\n{string.Join('\n', run.Log)}");
        });
    }
}
