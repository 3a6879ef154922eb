using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>When a provider is taken to be down, how it is asked whether it is up again, and what says that it is.</summary>
public sealed class CircuitBreakerTests
{
    private readonly CircuitBreaker _breaker = new();

    [Fact]
    public void TwelveOutagesInARow_OpenIt_AndOneAnswerBetweenThemDoesNot()
    {
        for (var i = 0; i < CircuitBreaker.InARow - 1; i++)
        {
            Assert.Equal(BreakerChange.None, Outage(0));
        }

        Assert.Equal(BreakerChange.None, _breaker.Ended(0, LeaseEnd.Answered, isOutage: false, isProbe: false));
        for (var i = 0; i < CircuitBreaker.InARow - 1; i++)
        {
            Assert.Equal(BreakerChange.None, Outage(0));
        }

        Assert.Equal(BreakerChange.Opened, Outage(0));
        Assert.True(_breaker.IsOpen);
    }

    [Fact]
    public void Refusals_AreAnswersAndNeverOpenIt()
    {
        for (var i = 0; i < 1000; i++)
        {
            _breaker.Ended(0, i % 2 == 0 ? LeaseEnd.Throttled : LeaseEnd.Answered, isOutage: false, isProbe: false);
        }

        Assert.False(_breaker.IsOpen);
    }

    [Fact]
    public void ThirtyPercentAtRandom_DoNotOpenIt()
    {
        var random = new Random(7);
        for (var i = 0; i < 100_000; i++)
        {
            bool fails = random.NextDouble() < 0.3;
            _breaker.Ended(i, fails ? LeaseEnd.Failed : LeaseEnd.Answered, fails, isProbe: false);
        }

        Assert.False(_breaker.IsOpen);
    }

    [Fact]
    public void ProbesGoOneAtATime_AfterBreaksOfAnEighthOfTheOutage_FromFiveSecondsToAMinute()
    {
        Open(at: 100);
        double now = 100;
        var breaks = new List<double>();
        for (var i = 0; i < 60; i++)
        {
            double wait = _breaker.Wait(now);
            breaks.Add(wait);
            now += wait;
            Assert.Equal(0, _breaker.Wait(now));
            Assert.True(_breaker.Take());
            Assert.Equal(double.PositiveInfinity, _breaker.Wait(now));
            _breaker.Ended(now, LeaseEnd.Failed, isOutage: true, isProbe: true);
        }

        Assert.All(breaks.Take(8), wait => Assert.Equal(5, wait, 3));
        Assert.All(breaks, wait => Assert.InRange(wait, 4.999, 60.001));
        Assert.Equal(60, breaks[^1], 3);
        Assert.All(breaks.Zip(breaks.Skip(1)), pair => Assert.True(pair.Second >= pair.First - 0.001));
    }

    [Theory]
    [InlineData(LeaseEnd.Answered)]
    [InlineData(LeaseEnd.Throttled)]
    internal void AProbeThatGetsAnAnswer_ClosesIt(LeaseEnd end)
    {
        Open(at: 0);
        _breaker.Take();

        Assert.Equal(BreakerChange.Closed, _breaker.Ended(5, end, isOutage: false, isProbe: true));
        Assert.Equal((false, 0d), (_breaker.IsOpen, _breaker.Wait(5)));
        Assert.False(_breaker.Take());
    }

    [Fact]
    public void AProbeThatWasNeverSent_LetsAnotherOneGoAtOnce()
    {
        Open(at: 0);
        _breaker.Take();
        _breaker.Ended(5, LeaseEnd.NotUsed, isOutage: false, isProbe: true);

        Assert.True(_breaker.IsOpen);
        Assert.Equal(0, _breaker.Wait(5));
    }

    [Fact]
    public void AnswersToWhatWasSentBeforeTheOutage_SayNothingOfNow()
    {
        Open(at: 0);
        Assert.Equal(BreakerChange.None, _breaker.Ended(1, LeaseEnd.Answered, isOutage: false, isProbe: false));
        Assert.True(_breaker.IsOpen);
    }

    private void Open(double at)
    {
        for (var i = 0; i < CircuitBreaker.InARow; i++)
        {
            Outage(at);
        }
    }

    private BreakerChange Outage(double at) => _breaker.Ended(at, LeaseEnd.Failed, isOutage: true, isProbe: false);
}
