using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>What is sent to servers that limit and do not say so beforehand: limiter and server on the manual clock, the same at every run.</summary>
public sealed class LearnedLimitsTests
{
    public static TheoryData<int, double, bool, bool> Shapes
    {
        get
        {
            var shapes = new TheoryData<int, double, bool, bool>();
            foreach (int perMinute in (int[])[1200, 6000])
            {
                foreach (double latency in (double[])[0.01, 0.2, 2])
                {
                    foreach (bool tellsWait in (bool[])[true, false])
                    {
                        shapes.Add(perMinute, latency, tellsWait, true);
                        shapes.Add(perMinute, latency, tellsWait, false);
                    }
                }
            }

            return shapes;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void WhatAServerTakes_IsFoundAndUsedUp_AndHardlyOverrun(int perMinute, double latency, bool tellsWait, bool adaptive)
    {
        using var model = new SendingModel(new ContinuousServer(perMinute, tells: tellsWait), latency, adaptive: adaptive, ceiling: adaptive ? 1000 : 300);
        model.Run(120);

        // Where 200 slots are needed and each round takes 2 s, the slow start itself takes a good part of the first minute.
        double first = perMinute * latency > 10_000 ? 0.75 : 0.9;
        Assert.InRange(model.Goodput(0, 60) * 60 / perMinute, first, 1.05);
        Assert.InRange(model.Goodput(60, 120) * 60 / perMinute, 0.93, 1.05);
        Assert.InRange(model.Refused(10), 0, 0.04);
    }

    [Theory]
    [InlineData(0.01, true)]
    [InlineData(0.01, false)]
    [InlineData(2, true)]
    [InlineData(2, false)]
    public void OneASecond_WithNothingToSpare_IsFoundToo(double latency, bool tellsWait)
    {
        using var model = new SendingModel(new ContinuousServer(60, tells: tellsWait), latency);
        model.Run(120);

        // Whoever tries for more is refused at once here: each try costs a share that 20 a second would not notice.
        Assert.InRange(model.Goodput(0, 60), 0.8, 1.02);
        Assert.InRange(model.Goodput(60, 120), 0.85, 1.02);
        Assert.InRange(model.Refused(10), 0, 0.1);
    }

    [Theory]
    [InlineData(1200, 0.2, true, 0.95, 0.05)]
    [InlineData(1200, 0.2, false, 0.7, 0.05)]
    [InlineData(600, 1, false, 0.7, 0.09)]
    public void AServerThatCountsByTheClocksMinutes_IsUsedUpInEachOfThem(int perMinute, double latency, bool tellsWait, double least, double refused)
    {
        using var model = new SendingModel(new WindowServer(perMinute, tellsWait), latency);
        model.Run(300);

        for (var minute = 0; minute < 5; minute++)
        {
            Assert.InRange(model.Goodput(minute * 60, (minute + 1) * 60) * 60 / perMinute, least, 1.05);
        }

        Assert.InRange(model.Refused(60), 0, refused);
    }

    [Theory]
    [InlineData(500, 5)]
    [InlineData(50, 1)]
    public void AServerThatLimitsHowManyAreInFlight_IsNotStormed(int slots, double latency)
    {
        using var model = new SendingModel(new SlotServer(slots), latency);
        model.Run(200, workers: 1200);

        Assert.InRange(model.Goodput(60, 200) * latency / slots, 0.7, 1.05);
        Assert.InRange(model.Refused(10), 0, 0.035);
    }

    [Fact]
    public void AfterAPause_SendsBeginSlowly_AndNotAsAHerd()
    {
        using var model = new SendingModel(new WindowServer(1200, tells: true), latency: 0.2);
        model.Run(75);

        double opened = model.Arrivals.First(at => at >= 60);
        int[] tenths = [.. Enumerable.Range(0, 8).Select(i => model.Arrivals.Count(at => at >= opened + (i * 0.1) && at < opened + ((i + 1) * 0.1)))];
        Assert.InRange(tenths[0], 1, 7);
        Assert.All(tenths.Zip(tenths.Skip(1)), static pair => Assert.InRange(pair.Second, 0, (3 * pair.First) + 2));
        Assert.InRange(model.Arrivals.Count(at => at is > 20 and < 60), 1, 12); // probes, as the wait may be wrong
    }

    [Theory]
    [InlineData(0.1, false)]
    [InlineData(0.1, true)]
    [InlineData(0.3, false)]
    [InlineData(0.3, true)]
    public void RandomRefusals_AreNamed_AndSlowNothingDown(double share, bool isOverloaded)
    {
        using var model = new SendingModel(new RandomServer(share), latency: 0.1, adaptive: false, ceiling: 10) { IsOverloaded = isOverloaded };
        model.Run(30);

        // 10 in flight answer 100 a second, less what refusals take of the slots.
        Assert.InRange(model.Goodput(5, 30), 85, 102);
        LearnedLimits limits = Assert.Single(model.Learned!);
        Assert.Equal((null, null), (limits.InFlight, limits.RequestsPerSecond));
        Assert.InRange(limits.RefusedAtRandom, share - 0.05, share + 0.05);
    }

    [Fact]
    public void ToString_EachLaw_SaysWhatTheProviderTakes()
    {
        Assert.Equal("", new LearnedLimits().ToString());
        Assert.Equal("refuses 10 % at random", new LearnedLimits { RefusedAtRandom = 0.104 }.ToString());
        Assert.Equal("about 20 in flight", new LearnedLimits { InFlight = 20 }.ToString());
        Assert.Equal("about 49 requests/s", new LearnedLimits { RequestsPerSecond = 48.73 }.ToString());
        Assert.Equal("about 1200 requests/s", new LearnedLimits { RequestsPerSecond = 1243 }.ToString());
        Assert.Equal("about 0.48 requests/s", new LearnedLimits { RequestsPerSecond = 0.4812 }.ToString());
        Assert.Equal(
            "about 20 in flight, about 50 requests/s, refuses 30 % at random",
            new LearnedLimits { RefusedAtRandom = 0.3, InFlight = 20, RequestsPerSecond = 50 }.ToString());
    }

    [Fact]
    public void WithoutARefusal_NothingIsPaced()
    {
        using var model = new SendingModel(new SlotServer(100_000), latency: 0.5);
        model.Run(30, workers: 1000);

        Assert.True(model.Law.IsNone);
        Assert.Equal(1000, model.Limit);
    }
}
