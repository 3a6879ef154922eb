using FastLLM.Admission;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Admission;

public sealed class GateTests
{
    private readonly ManualTimeProvider _time = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task NoMorePassThanAllowed_AndTheNextPassesWhenOneLeaves()
    {
        using var gate = new Gate(2, adaptive: false, _time);
        await gate.EnterAsync(false, Ended);
        await gate.EnterAsync(false, Ended);

        Task third = gate.EnterAsync(false, Ended).AsTask();
        Assert.False(third.IsCompleted);

        gate.Leave(LeaseEnd.Answered);
        await third;
        Assert.Equal(2, gate.InFlight);
    }

    [Fact]
    public async Task FirstComeFirstServed_ButRetriesGoFirst()
    {
        using var gate = new Gate(1, adaptive: false, _time);
        await gate.EnterAsync(false, Ended);
        var order = new List<string>();
        Task[] waiting = [Enter("a", false), Enter("b", false), Enter("retry", true)];

        for (var i = 0; i < 3; i++)
        {
            gate.Leave(LeaseEnd.Answered);
            while (order.Count == i)
            {
                await Task.Yield();
            }
        }

        await Task.WhenAll(waiting);
        Assert.Equal(["retry", "a", "b"], order);

        async Task Enter(string name, bool isRetry)
        {
            await gate.EnterAsync(isRetry, Ended);
            order.Add(name);
        }
    }

    [Fact]
    public async Task WhoGivesUpWaitingHoldsNoLease()
    {
        using var gate = new Gate(1, adaptive: false, _time);
        await gate.EnterAsync(false, Ended);
        using var cancel = new CancellationTokenSource();
        Task gaveUp = gate.EnterAsync(false, cancel.Token).AsTask();
        Task patient = gate.EnterAsync(false, Ended).AsTask();

        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gaveUp);
        gate.Leave(LeaseEnd.Answered);
        await patient;
        gate.Leave(LeaseEnd.Answered);

        Assert.Equal(0, gate.InFlight);
    }

    [Fact]
    public async Task AClosedGateOpensWhenTheTimeIsOver_AndNotBefore()
    {
        using var gate = new Gate(5, adaptive: false, _time);
        Assert.True(gate.CloseFor(TimeSpan.FromSeconds(20)));
        Assert.False(gate.CloseFor(TimeSpan.FromSeconds(10)));
        Task waiting = gate.EnterAsync(false, Ended).AsTask();

        _time.Advance(TimeSpan.FromSeconds(19.99));
        Assert.False(waiting.IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(0.02));
        await waiting;
    }

    [Fact]
    public void AnAdaptiveLimitDoublesUntilThrottled_IsCutOncePerEpisode_AndThenGrowsSlowly()
    {
        var limit = new AdaptiveLimit(1000);
        Assert.Equal(20, limit.Limit);
        Answers(limit, 20);
        Assert.Equal(40, limit.Limit);
        Answers(limit, 40);
        Assert.Equal(80, limit.Limit);

        for (var i = 0; i < 50; i++)
        {
            limit.Ended(LeaseEnd.Throttled, 80, 0, _time);
        }

        Assert.Equal(64, limit.Limit);
        _time.Advance(TimeSpan.FromSeconds(15));
        Answers(limit, 64);
        Assert.Equal(67, limit.Limit);
    }

    [Fact]
    public void AnAdaptiveLimitNeverFallsBelowOneNorPassesItsCeiling()
    {
        var limit = new AdaptiveLimit(30);
        for (var i = 0; i < 100; i++)
        {
            limit.Ended(LeaseEnd.Throttled, 1, 0, _time);
            _time.Advance(TimeSpan.FromSeconds(15));
        }

        Assert.Equal(1, limit.Limit);
        Answers(limit, 10_000);
        Assert.Equal(30, limit.Limit);
    }

    [Fact]
    public void AnAdaptiveLimitThatIsNotUsedUpDoesNotGrow()
    {
        var limit = new AdaptiveLimit(1000);
        for (var i = 0; i < 1000; i++)
        {
            limit.Ended(LeaseEnd.Answered, inFlight: 3, waiting: 0, _time);
        }

        Assert.Equal(20, limit.Limit);
    }

    private void Answers(AdaptiveLimit limit, int count)
    {
        for (var i = 0; i < count; i++)
        {
            limit.Ended(LeaseEnd.Answered, limit.Limit, 0, _time);
        }
    }
}
