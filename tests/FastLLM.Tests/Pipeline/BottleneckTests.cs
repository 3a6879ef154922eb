using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Runs with one known bottleneck. Time passes only while all sends are held.</summary>
public sealed class BottleneckTests : EngineTest
{
    private readonly HeldSends _sends = new();

    [Fact]
    public async Task ConfiguredRequestsPerMinute_AreTheBottleneck()
    {
        await using var manager = Manager(ScriptedProvider.Echo(), o => o.RateLimits = new RateLimits { RequestsPerMinute = 60 });
        await using var outcomes = manager.ProcessAsync(AskMany(20).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);
        for (var done = 1; done < 20; done++)
        {
            await TakeAsync(outcomes, 1);
            await Time.WaitForTimersAsync(1, Ended);
            Time.Advance(TimeSpan.FromSeconds(1.05));
        }

        await TakeAsync(outcomes, 1);
        Assert.False(await outcomes.MoveNextAsync());
        AssertMostly(Bottleneck.RequestsPerMinute, 0.9, manager.Stats);
    }

    [Fact]
    public async Task Concurrency_IsTheBottleneck_WhileRowsWait()
    {
        await using var manager = Manager(new ScriptedProvider(_sends.HoldAsync), o => o.Concurrency = 2);
        Task batch = manager.ProcessBatchAsync(AskMany(22), Ended);

        // No time passes in the first round, in which the workers start.
        for (var done = 0; done < 22; done += 2)
        {
            await _sends.WaitForAsync(2, Ended);
            if (done > 0)
            {
                Assert.Equal(done < 20 ? Bottleneck.Concurrency : Bottleneck.ProviderLatency, manager.Stats.LimitedBy);
                Time.Advance(TimeSpan.FromSeconds(1));
            }

            _sends.Answer();
            _sends.Answer();
        }

        await batch;
        AssertMostly(Bottleneck.Concurrency, 0.85, manager.Stats);
    }

    [Fact]
    public async Task ProviderLatency_IsTheBottleneck_WhenAllRowsAreInFlight()
    {
        await using var manager = Manager(new ScriptedProvider(_sends.HoldAsync), o => o.Concurrency = 100);
        Task batch = manager.ProcessBatchAsync(AskMany(20), Ended);
        await _sends.WaitForAsync(20, Ended);
        _sends.Answer();
        Time.Advance(TimeSpan.FromSeconds(10));
        _sends.Release();

        await batch;
        AssertMostly(Bottleneck.ProviderLatency, 0.95, manager.Stats);
    }

    [Fact]
    public async Task BackOff_IsTheBottleneck_AfterErrors()
    {
        await using var manager = Manager(new ScriptedProvider(_sends.HoldAsync), o => o.RetryDelay = TimeSpan.FromSeconds(10));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(5), Ended);
        await _sends.WaitForAsync(5, Ended);
        for (var i = 0; i < 5; i++)
        {
            _sends.Fail(new LlmException(FailureKind.ServerError, "500"));
        }

        Assert.Equal(5, Time.ActiveTimers);
        Time.Advance(TimeSpan.FromSeconds(10));
        _sends.Release();

        Assert.All(await batch, outcome => Assert.True(outcome.IsSuccess));
        AssertMostly(Bottleneck.BackOff, 0.95, manager.Stats);
    }

    [Fact]
    public async Task BackOff_IsTheBottleneck_WhenTheProviderAsksToWait()
    {
        await using var manager = Manager(new ScriptedProvider(_sends.HoldAsync), o => o.Concurrency = 1);
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(3), Ended);
        for (var row = 0; row < 3; row++)
        {
            await _sends.WaitForAsync(1, Ended);
            _sends.Fail(new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromSeconds(30) });
        }

        Assert.Equal(Bottleneck.BackOff, manager.Stats.LimitedBy);
        _sends.Release();
        Assert.All(await RunClockAsync(batch), outcome => Assert.True(outcome.IsSuccess));
    }

    private static void AssertMostly(Bottleneck bottleneck, double least, TokenStats stats)
    {
        Assert.InRange(stats.LimitedByShares.GetValueOrDefault(bottleneck), least, 1);
        Assert.Equal(1, stats.LimitedByShares.Values.Sum(), 6);
        Assert.Equal(Bottleneck.None, stats.LimitedBy);
    }

    // Without a timeout, the only timers are those of the limiter and of back-offs.
    private RequestManager<string> Manager(ScriptedProvider provider, Action<RequestManagerOptions> change) => new(provider, OnManualClock(o =>
    {
        o.Timeout = Timeout.InfiniteTimeSpan;
        change(o);
    }));
}
