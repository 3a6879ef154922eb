using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Why is it slow: four runs of which it is known. Time passes only when all stands still.</summary>
public sealed class BottleneckTests : EngineTest
{
    private volatile int _armed;

    [Fact]
    public async Task RequestsAMinuteThatWereTold()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), OnManualClock(o => o.RateLimits = new RateLimits { RequestsPerMinute = 60 }));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(20), Ended);
        for (var done = 1; done < 20; done++)
        {
            await Until(manager, stats => stats.RequestsCompleted == done && stats.LimitedBy == Bottleneck.RequestsPerMinute);
            Time.Advance(TimeSpan.FromSeconds(1.05));
        }

        await batch;
        AssertMostly(Bottleneck.RequestsPerMinute, 0.95, manager.Stats);
    }

    [Fact]
    public async Task TooFewInFlight()
    {
        await using var manager = new RequestManager<string>(Slow(TimeSpan.FromSeconds(1)), OnManualClock(o => o.Concurrency = 2));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(20), Ended);
        for (var done = 0; done < 18; done += 2)
        {
            await Until(manager, stats => stats.RequestsCompleted == done && _armed == done + 2 && stats.LimitedBy == Bottleneck.Concurrency);
            Time.Advance(TimeSpan.FromSeconds(1));
        }

        // The last two are all that is left.
        await Until(manager, stats => stats.InFlight == 2 && _armed == 20 && stats.LimitedBy == Bottleneck.ProviderLatency);
        Time.Advance(TimeSpan.FromSeconds(1));
        await batch;
        AssertMostly(Bottleneck.Concurrency, 0.85, manager.Stats);
    }

    [Fact]
    public async Task ASlowProvider_WhenAllIsInFlight()
    {
        await using var manager = new RequestManager<string>(Slow(TimeSpan.FromSeconds(10)), OnManualClock(o => o.Concurrency = 100));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(20), Ended);
        await Until(manager, stats => _armed == 20 && stats.LimitedBy == Bottleneck.ProviderLatency);
        Time.Advance(TimeSpan.FromSeconds(10));

        await batch;
        AssertMostly(Bottleneck.ProviderLatency, 0.95, manager.Stats);
    }

    [Fact]
    public async Task BackOffAfterErrors()
    {
        var provider = new ScriptedProvider((_, nth, _) => nth == 1 ? throw new LlmException(FailureKind.ServerError, "500") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.RetryDelay = TimeSpan.FromSeconds(10)));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(5), Ended);
        await Until(manager, stats => stats is { Sent: 5, InFlight: 0, LimitedBy: Bottleneck.BackOff } && Time.ActiveTimers >= 5);
        Time.Advance(TimeSpan.FromSeconds(10));

        Assert.All(await batch, outcome => Assert.True(outcome.IsSuccess));
        AssertMostly(Bottleneck.BackOff, 0.95, manager.Stats);
    }

    [Fact]
    public async Task AProviderThatAsksToWait_IsBackOffToo()
    {
        var provider = new ScriptedProvider((_, nth, _) => nth == 1
            ? throw new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromSeconds(30) }
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.Concurrency = 1));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(3), Ended);

        await Until(manager, stats => stats is { Sent: 1, LimitedBy: Bottleneck.BackOff });
        Assert.All(await RunClockAsync(batch), outcome => Assert.True(outcome.IsSuccess));
    }

    private static void AssertMostly(Bottleneck factor, double least, TokenStats stats)
    {
        Assert.InRange(stats.LimitedByShares.GetValueOrDefault(factor), least, 1);
        Assert.Equal(1, stats.LimitedByShares.Values.Sum(), 6);
        Assert.Equal(Bottleneck.None, stats.LimitedBy);
    }

    private static async Task Until(RequestManager<string> manager, Func<TokenStats, bool> condition)
    {
        while (!condition(manager.Stats))
        {
            Ended.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private ScriptedProvider Slow(TimeSpan latency) => new(async (_, _, token) =>
    {
        Task answer = Task.Delay(latency, Time, token);
        Interlocked.Increment(ref _armed);
        await answer;
        return "fine";
    });
}
