using System.Threading.Channels;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class ModelRateLimiterTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly RateLease _lease = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task NoMorePassThanAllowed_AndTheNextPassesWhenOneLeaves()
    {
        using RateLimiters limiters = Fixed(2);
        ModelRateLimiter limiter = limiters.Of("m");
        await limiter.EnterAsync(_lease, false, Ended);
        await limiter.EnterAsync(_lease, false, Ended);

        Task third = limiter.EnterAsync(_lease, false, Ended).AsTask();
        Assert.False(third.IsCompleted);

        limiter.Leave(_lease, LeaseEnd.Answered);
        await third;
        Assert.Equal(2, limiters.InFlight);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task LowerCeiling_HoldsSendsBack_UntilItRises(bool adaptive)
    {
        using var limiters = new RateLimiters(16, adaptive, _time);
        ModelRateLimiter limiter = limiters.Of("m");
        for (var i = 0; i < 8; i++)
        {
            await limiter.EnterAsync(_lease, false, Ended);
        }

        limiters.LowerCeiling();
        limiters.LowerCeiling(); // of those that failed together, one counts
        Assert.Equal((6, 6), (limiters.Ceiling, limiters.Limit));
        Task next = limiter.EnterAsync(_lease, false, Ended).AsTask();
        limiter.Leave(_lease, LeaseEnd.NotUsed);
        limiter.Leave(_lease, LeaseEnd.NotUsed);
        Assert.False(next.IsCompleted);
        limiter.Leave(_lease, LeaseEnd.Answered);
        await next;

        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            limiter.Leave(_lease, LeaseEnd.Answered);
            await limiter.EnterAsync(_lease, false, Ended);
        }

        Assert.Equal((16, 16), (limiters.Ceiling, limiters.Limit));
    }

    [Fact]
    public async Task FirstComeFirstServed_ButRetriesGoFirst()
    {
        using RateLimiters limiters = Fixed(1);
        ModelRateLimiter limiter = limiters.Of("m");
        await limiter.EnterAsync(_lease, false, Ended);
        var order = Channel.CreateUnbounded<string>();
        Task[] waiting = [Enter("a", false), Enter("b", false), Enter("retry", true)];

        foreach (string next in (string[])["retry", "a", "b"])
        {
            limiter.Leave(_lease, LeaseEnd.Answered);
            Assert.Equal(next, await order.Reader.ReadAsync(Ended));
        }

        await Task.WhenAll(waiting);

        async Task Enter(string name, bool isRetry)
        {
            await limiter.EnterAsync(_lease, isRetry, Ended);
            order.Writer.TryWrite(name);
        }
    }

    [Fact]
    public async Task WhoGivesUpWaitingHoldsNoLease()
    {
        using RateLimiters limiters = Fixed(1);
        ModelRateLimiter limiter = limiters.Of("m");
        await limiter.EnterAsync(_lease, false, Ended);
        using var cancel = new CancellationTokenSource();
        Task gaveUp = limiter.EnterAsync(_lease, false, cancel.Token).AsTask();
        Task patient = limiter.EnterAsync(_lease, false, Ended).AsTask();

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gaveUp);
        limiter.Leave(_lease, LeaseEnd.Answered);
        await patient;
        limiter.Leave(_lease, LeaseEnd.Answered);

        Assert.Equal(0, limiters.InFlight);
    }

    [Fact]
    public async Task AClosedGateOpensWhenTheTimeIsOver_AndNotBefore()
    {
        using RateLimiters limiters = Fixed(5);
        ModelRateLimiter limiter = limiters.Of("m");
        Assert.True(limiter.CloseFor(TimeSpan.FromSeconds(20)));
        Assert.False(limiter.CloseFor(TimeSpan.FromSeconds(10)));
        Task waiting = limiter.EnterAsync(_lease, false, Ended).AsTask();

        _time.Advance(TimeSpan.FromSeconds(19.99));
        Assert.False(waiting.IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(0.02));
        await waiting;
    }

    private RateLimiters Fixed(int concurrency) => new(concurrency, adaptive: false, _time);
}
