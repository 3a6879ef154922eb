using FastLLM.Simulator;
using FastLLM.Simulator.Answers;
using Xunit;

namespace FastLLM.Tests.Simulators.Throttling;

public sealed class ThrottleLawTests
{
    [Theory]
    [InlineData("window:2/10s", "0 1 2 9.999 10 11 12 35", "ok ok 8 0.001 ok ok 8 ok")]
    [InlineData("window:1/1min", "59 59.5 60 60", "ok 0.5 ok 60")]
    [InlineData("window:3/1s", "0.9 0.9 0.9 0.9 1 1 1 1", "ok ok ok 0.1 ok ok ok 1")] // twice the limit in 0.1 s, across the boundary
    [InlineData("sliding:2/10s", "0 1 2 9.999 10 10.5 11 12", "ok ok 8 0.001 ok 0.5 ok 8")]
    [InlineData("sliding:3/1s", "0.9 0.9 0.9 0.9 1 1.9 1.9 1.9 1.9", "ok ok ok 1 0.9 ok ok ok 1")]
    [InlineData("bucket:1/s,burst:1", "0 0.25 1 1.999 2", "ok 0.75 ok 0.001 ok")]
    [InlineData("bucket:2/s,burst:3", "0 0 0 0 0.5 0.5 60 60 60 60", "ok ok ok 0.5 ok 0.5 ok ok ok 0.5")]
    [InlineData("bucket:0.5/s", "0 1 2 2", "ok 1 ok 2")]
    [InlineData("bucket:30/min,burst:1", "0 1.5 2", "ok 0.5 ok")]
    [InlineData("random:0%", "0 0 0", "ok ok ok")]
    [InlineData("random:100%", "0 0 0", "no no no")]
    public void Admit_AtTimes_FollowsTheLaw(string law, string seconds, string expected) =>
        Assert.Equal(expected, new ThrottledClock(law).Arrive(seconds));

    [Fact]
    public void Window_InAnyPhase_AdmitsItsLimitEachPeriod()
    {
        var server = new ThrottledClock("window:5/2s");
        int[] perWindow = new int[10];
        for (int i = 0; i < 2_000; i++)
        {
            server.AdvanceTo(i * 0.01);
            perWindow[i / 200] += server.Arrive() is null ? 1 : 0;
        }

        Assert.All(perWindow, count => Assert.Equal(5, count));
    }

    [Fact]
    public void Sliding_UnderFlood_NeverAdmitsMoreInAnyPeriod()
    {
        var server = new ThrottledClock("sliding:7/1s");
        var admitted = new List<double>();
        for (int i = 0; i < 1_000; i++)
        {
            double at = i * 0.013;
            server.AdvanceTo(at);
            if (server.Arrive() is null)
            {
                admitted.Add(at);
            }
        }

        Assert.All(admitted.Skip(7).Zip(admitted), pair => Assert.True(pair.First - pair.Second > 1 - 1e-5));
        Assert.InRange(admitted.Count, 80, 92); // 13 s
    }

    [Theory]
    [InlineData("window:7/3s")]
    [InlineData("sliding:3/0.7s")]
    [InlineData("bucket:7/min,burst:2")]
    [InlineData("bucket:3/s,burst:1")]
    public void RetryAfter_WhenObeyed_IsEnough(string law)
    {
        var server = new ThrottledClock(law);
        double now = 0.123_456_7;
        int refused = 0;
        for (int i = 0; i < 200; i++)
        {
            server.AdvanceTo(now);
            if (server.Arrive() is { } refusal)
            {
                refused++;
                now += refusal.RetryAfter!.Value.TotalSeconds;
                server.AdvanceTo(now);
                Assert.Null(server.Arrive());
            }
        }

        Assert.InRange(refused, 20, 200);
    }

    [Fact]
    public void Concurrency_WhenFull_RefusesUntilOneLeaves()
    {
        var server = new ThrottledClock("concurrency:2");
        Assert.Equal("ok ok no no", server.Arrive("0 0 0 5"));

        server.Leave();
        Assert.Equal("ok no", server.Arrive("5 5"));
    }

    [Fact]
    public void Random_OverManyRequests_RefusesItsShare()
    {
        var server = new ThrottledClock("random:30%");
        int refused = Enumerable.Range(0, 20_000).Count(_ => server.Arrive() is not null);
        Assert.Equal(0.3, refused / 20_000.0, 0.01);
    }

    [Fact]
    public void Random_ForOneBody_IsDrawnAnewEachTime()
    {
        var server = new ThrottledClock("random:50%");
        BodyHash body = BodyHash.Of("a"u8);
        int refused = Enumerable.Range(1, 1_000).Count(send => server.Arrive(body, send) is not null);
        Assert.InRange(refused, 430, 570);
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(0, 1, false)]
    public void Random_DependsOnTheSeed(int seed, int other, bool same)
    {
        bool[] first = Draws(seed);
        Assert.Equal(same, first.SequenceEqual(Draws(other)));

        static bool[] Draws(int seed)
        {
            var server = new ThrottledClock(new SimulatorOptions { Seed = seed, ThrottleLaws = [ThrottleLaw.Random(0.5)] });
            return [.. Enumerable.Range(0, 100).Select(_ => server.Arrive() is null)];
        }
    }

    [Fact]
    public void Laws_OfEqualText_AreEqual()
    {
        Assert.Equal(ThrottleLaw.Bucket(50, TimeSpan.FromSeconds(1)), ThrottleLaw.Parse("bucket:50/s,burst:50"));
        Assert.Equal(ThrottleLaw.Random(0.1), ThrottleLaw.Parse("random:10%"));
        Assert.NotEqual(ThrottleLaw.Window(5, TimeSpan.FromSeconds(1)), ThrottleLaw.Sliding(5, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void Create_OutOfRange_Throws()
    {
        TimeSpan second = TimeSpan.FromSeconds(1);
        Assert.Throws<ArgumentOutOfRangeException>("share", () => ThrottleLaw.Random(1.1));
        Assert.Throws<ArgumentOutOfRangeException>("share", () => ThrottleLaw.Random(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>("limit", () => ThrottleLaw.Concurrency(0));
        Assert.Throws<ArgumentOutOfRangeException>("limit", () => ThrottleLaw.Window(0, second));
        Assert.Throws<ArgumentOutOfRangeException>("period", () => ThrottleLaw.Window(1, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>("period", () => ThrottleLaw.Sliding(1, TimeSpan.FromDays(2)));
        Assert.Throws<ArgumentOutOfRangeException>("rate", () => ThrottleLaw.Bucket(0, second));
        Assert.Throws<ArgumentOutOfRangeException>("rate", () => ThrottleLaw.Bucket(double.NaN, second));
        Assert.Throws<ArgumentOutOfRangeException>("burst", () => ThrottleLaw.Bucket(1, second, 0));
    }
}
