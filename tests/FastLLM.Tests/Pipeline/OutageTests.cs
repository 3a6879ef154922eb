using System.Collections.Concurrent;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A provider that is down: nothing fails, hardly anything is sent, and it goes on by itself.</summary>
public sealed class OutageTests : EngineTest
{
    private static readonly TimeSpan DownFrom = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan UpFrom = TimeSpan.FromSeconds(65);
    private readonly ConcurrentQueue<TimeSpan> _sends = new();

    [Theory]
    [InlineData(FailureKind.Overloaded)]
    [InlineData(FailureKind.ServerError)]
    [InlineData(FailureKind.ConnectionRefused)]
    [InlineData(FailureKind.ConnectionLost)]
    public async Task AnOutageOfAMinute_FailsNothing_AsksOnceABreak_AndEndsWithinTenSecondsOfIt(FailureKind kind)
    {
        var provider = new ScriptedProvider(async (_, _, cancellationToken) =>
        {
            TimeSpan now = Time.Elapsed;
            _sends.Enqueue(now);
            if (now >= DownFrom && now < UpFrom)
            {
                throw new LlmException(kind, "down");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), Time, cancellationToken);
            return "fine";
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 20; o.Timeout = Timeout.InfiniteTimeSpan; }));

        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(3000), Ended);
        while (!batch.IsCompleted)
        {
            await SettleAsync(() => provider.Sends + Time.ActiveTimers, batch);
            Time.AdvanceToNext();
        }

        var outcomes = await batch;

        Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess));

        TimeSpan[] during = [.. _sends.Where(at => at >= DownFrom && at < UpFrom).Order()];
        TimeSpan[] probes = [.. during.Where(at => at >= DownFrom + TimeSpan.FromSeconds(4))];
        Assert.InRange(probes.Length, 8, 12);
        Assert.All(probes.Zip(probes.Skip(1)), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(5)));
        Assert.InRange(during.Length - probes.Length, 12, 40);

        // Up again: at full width within ten seconds.
        Assert.Contains(_sends.Where(at => at >= UpFrom).GroupBy(at => at), group => group.Count() >= 19 && group.Key < UpFrom + TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task ThreeOfTenThatFailAtRandom_AreNoOutage_AndRetriesStayBelowHalfOfTheRequests()
    {
        var random = new Random(3);
        var gate = new Lock();
        var provider = new ScriptedProvider((_, _, _) =>
        {
            lock (gate)
            {
                return random.NextDouble() < 0.3 ? throw new LlmException(FailureKind.ServerError, "500") : Task.FromResult("fine");
            }
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 50; o.RetryAttempts = 12; o.Timeout = Timeout.InfiniteTimeSpan; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(2000), Ended));

        Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess));
        Assert.InRange(provider.Sends / 2000.0, 1.3, 1.5);
    }

    [Fact]
    public async Task ARequestThatMakesEveryServerFail_FailsByItself_AndTheOthersAreAnswered()
    {
        var provider = new ScriptedProvider((request, _, _) => request.Messages[0].Content!.ToString().EndsWith("n 3", StringComparison.Ordinal)
            ? throw new LlmException(FailureKind.ServerError, "500")
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 4; o.Timeout = Timeout.InfiniteTimeSpan; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(50), Ended));

        Assert.Equal((FailureKind.ServerError, 3), (Assert.Single(outcomes, outcome => !outcome.IsSuccess).Error!.Kind, outcomes.Single(o => !o.IsSuccess).Attempts));
    }

    [Fact]
    public async Task ManyRequestsThatMakeEveryServerFail_EndAllTheSame()
    {
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.ServerError, "500"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 20; o.MaxThrottleWait = TimeSpan.FromDays(7); o.Timeout = Timeout.InfiniteTimeSpan; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(20), Ended));

        Assert.All(outcomes, outcome => Assert.Equal(FailureKind.ServerError, outcome.Error?.Kind));
    }

    [Fact]
    public async Task AnOutageThatOutlastsTheLongestWait_StopsTheRun_WhichCanGoOn()
    {
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.Overloaded, "503"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 20; o.MaxThrottleWait = TimeSpan.FromMinutes(2); o.Timeout = Timeout.InfiniteTimeSpan; }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(manager.ProcessBatchAsync(AskMany(200), Ended)));

        Assert.Equal(FailureKind.Overloaded, stopped.Kind);
        Assert.Contains("when the provider is up", stopped.Message, StringComparison.Ordinal);
        Assert.InRange(Time.Elapsed, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(6));
        Assert.Equal(200, stopped.Responses.Count);
    }

    // Time stands still until everybody has done what there is to do at this moment.
    private static async Task SettleAsync(Func<int> state, Task batch)
    {
        int last = state();
        for (var still = 0; still < 20 && !batch.IsCompleted; still++)
        {
            await Task.Yield();
            int now = state();
            still = now == last && ThreadPool.PendingWorkItemCount == 0 ? still : 0;
            last = now;
        }
    }
}
