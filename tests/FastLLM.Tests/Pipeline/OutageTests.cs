using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A provider that is down: nothing fails, hardly anything is sent, and it goes on by itself.</summary>
public sealed class OutageTests : EngineTest
{
    [Theory]
    [InlineData(FailureKind.Overloaded)]
    [InlineData(FailureKind.ServerError)]
    [InlineData(FailureKind.ConnectionRefused)]
    [InlineData(FailureKind.ConnectionLost)]
    public async Task Outage_SendsOneProbePerBreak_FailsNothing_AndEndsAtFullConcurrency(FailureKind kind)
    {
        const int Rows = 100;
        const int Concurrency = 20;
        var down = new LlmException(kind, "down");
        var sends = new HeldSends();
        var provider = new ScriptedProvider(sends.HoldAsync);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = Concurrency; o.Timeout = Timeout.InfiniteTimeSpan; }));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(Rows), Ended);

        // The provider goes down. Another row takes the place of each request that backs off, until the breaker opens.
        for (var failed = 0; failed < CircuitBreaker.InARow; failed++)
        {
            await sends.WaitForAsync(Concurrency, Ended);
            sends.Fail(down);
        }

        for (var left = Concurrency - 1; left > 0; left--)
        {
            sends.Fail(down);
        }

        // Rows that failed before it opened back off; the limiter has the other timer.
        const int BeforeItOpened = Concurrency + CircuitBreaker.InARow - 1;
        await Time.WaitForTimersAsync(CircuitBreaker.InARow, Ended);
        Time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(BeforeItOpened, provider.Sends);

        var probes = new List<TimeSpan>();
        await NextProbeAsync();
        while (Time.Elapsed < TimeSpan.FromMinutes(1))
        {
            sends.Fail(down);
            await NextProbeAsync();
        }

        Assert.Equal(BeforeItOpened + probes.Count, provider.Sends);
        Assert.All(probes.Prepend(TimeSpan.Zero).Zip(probes), pair => Assert.InRange((pair.Second - pair.First).TotalSeconds, 5, 10));

        // The provider is up again.
        sends.Answer();
        await sends.WaitForAsync(Concurrency, Ended);
        Assert.Equal(Concurrency, manager.Stats.InFlight);
        sends.Release();
        Assert.All(await RunClockAsync(batch), outcome => Assert.True(outcome.IsSuccess));
        Assert.Equal(Rows + BeforeItOpened + probes.Count - 1, provider.Sends);

        async Task NextProbeAsync()
        {
            // The only timer is the limiter's. It may fire a fraction of a millisecond early, and is set again then.
            do
            {
                await Time.WaitForTimersAsync(1, Ended);
                Time.AdvanceToNext();
            }
            while (Time.ActiveTimers > 0);

            probes.Add(Time.Elapsed);
            await sends.WaitForAsync(1, Ended);
        }
    }

    [Fact]
    public async Task RandomFailures_AreNoOutage()
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
    public async Task OneFailingRequest_FailsAlone()
    {
        // Answers take time, so that some come between the sends of the row that fails: the last row alone could meet an outage.
        var provider = new ScriptedProvider(async (request, _, token) =>
        {
            if (request.Messages[0].Content!.ToString().EndsWith("n 3", StringComparison.Ordinal))
            {
                throw new LlmException(FailureKind.ServerError, "500");
            }

            await Task.Delay(TimeSpan.FromSeconds(1), Time, token);
            return "fine";
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 4; o.Timeout = Timeout.InfiniteTimeSpan; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(50), Ended));

        Assert.Equal((FailureKind.ServerError, 3), (Assert.Single(outcomes, outcome => !outcome.IsSuccess).Error!.Kind, outcomes.Single(o => !o.IsSuccess).Attempts));
    }

    [Theory]
    [InlineData(FailureKind.ServerError, 3, 50)]
    [InlineData(FailureKind.ServerError, 5, 4)]
    [InlineData(FailureKind.ServerError, 8, 1)]
    [InlineData(FailureKind.ConnectionLost, 3, 1)]
    [InlineData(FailureKind.ConnectionLost, 3, 2)]
    [InlineData(FailureKind.ConnectionLost, 1, 4)]
    public async Task Outage_ThatBeginsAtTheLastRows_FailsNone(FailureKind kind, int last, int concurrency)
    {
        var others = new TaskCompletionSource();
        var provider = new ScriptedProvider(async (request, _, _) =>
        {
            if (NumberOf(request) >= 60 - last)
            {
                await others.Task; // a send that begins after a failure and is answered would be evidence against an outage
                return Time.Elapsed < TimeSpan.FromSeconds(10) ? throw new LlmException(kind, "down") : "fine";
            }

            return "fine";
        });
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => (o.Concurrency, o.Timeout) = (concurrency, Timeout.InfiniteTimeSpan)));
        await using IAsyncEnumerator<ResponseWrapper<string>> outcomes = manager.ProcessAsync(AskMany(60).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);

        await TakeAsync(outcomes, 60 - last);
        others.SetResult();
        await Time.WaitForTimersAsync(last, Ended); // what fails at once leaves time for the others to be read, and to fail

        Assert.All(await RunClockAsync(TakeAsync(outcomes, last)), outcome => Assert.True(outcome.IsSuccess, outcome.Error?.ToString()));
        Assert.InRange(Time.Elapsed.TotalSeconds, 10, 60);
    }

    [Fact]
    public async Task Outage_ThatBeginsAtTheLastRows_FailsNone_AlthoughLaterSendsAreAnsweredThatWereUnderWay()
    {
        var sends = new HeldSends();
        var provider = new ScriptedProvider(sends.HoldAsync);
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => (o.Concurrency, o.Timeout) = (10, Timeout.InfiniteTimeSpan)));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(10), Ended);
        await sends.WaitForAsync(10, Ended);

        // The first three fail; those that began after them are answered, since they had reached the provider before.
        Fail(3);
        for (var answered = 0; answered < 7; answered++)
        {
            sends.Answer();
        }

        for (var attempt = 2; attempt <= 3; attempt++)
        {
            await RetryAllAsync();
            Fail(3);
        }

        await RetryAllAsync();
        sends.Release();

        Assert.All(await RunClockAsync(batch), outcome => Assert.True(outcome.IsSuccess, outcome.Error?.ToString()));

        void Fail(int count)
        {
            for (var i = 0; i < count; i++)
            {
                sends.Fail(new LlmException(FailureKind.ServerError, "500"));
            }
        }

        async Task RetryAllAsync()
        {
            await Time.WaitForTimersAsync(3, Ended);
            Time.Advance(TimeSpan.FromSeconds(5));
            await sends.WaitForAsync(3, Ended);
        }
    }

    [Theory]
    [InlineData(3, 120, 300)]
    [InlineData(1, 0, 30)]
    public async Task LastRow_ThatAlwaysFails_EndsTheRun(int attempts, int minSeconds, int maxSeconds)
    {
        var provider = new ScriptedProvider((request, _, _) => NumberOf(request) == 59
            ? throw new LlmException(FailureKind.ServerError, "500") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => (o.Concurrency, o.Timeout, o.RetryAttempts) = (1, Timeout.InfiniteTimeSpan, attempts)));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(60), Ended));

        Assert.Equal(FailureKind.ServerError, Assert.Single(outcomes, outcome => !outcome.IsSuccess).Error!.Kind);
        Assert.InRange(Time.Elapsed.TotalSeconds, minSeconds, maxSeconds);
        Assert.InRange(outcomes[59].Attempts, attempts, attempts == 1 ? 1 : 15);
    }

    [Fact]
    public async Task ManyFailingRequests_WhereNothingStopsTheRun_EndAfterTheirProbes()
    {
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.ServerError, "500"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 20; o.MaxErrorShare = 1; o.MaxThrottleWait = TimeSpan.FromDays(7); o.Timeout = Timeout.InfiniteTimeSpan; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(20), Ended));

        Assert.All(outcomes, outcome => Assert.Equal(FailureKind.ServerError, outcome.Error?.Kind));
    }

    [Fact]
    public async Task OutageFromTheStart_StopsTheRunAfterAMinute()
    {
        TimeSpan last = default;
        var provider = new ScriptedProvider((_, _, _) =>
        {
            last = Time.Elapsed;
            throw new LlmException(FailureKind.ConnectionRefused, "Connection refused (127.0.0.1:9)");
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 20; o.MaxThrottleWait = TimeSpan.FromDays(7); o.Timeout = Timeout.InfiniteTimeSpan; }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(manager.ProcessBatchAsync(AskMany(500), Ended)));

        Assert.Equal(FailureKind.ConnectionRefused, stopped.Kind);
        Assert.Contains("Connection refused (127.0.0.1:9)", stopped.Message, StringComparison.Ordinal);
        Assert.InRange(last, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(15));
        Assert.InRange(provider.Sends, 10, 40);
    }

    [Fact]
    public async Task Outage_LongerThanMaxThrottleWait_StopsTheRun()
    {
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.Overloaded, "503"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 20; o.MaxThrottleWait = TimeSpan.FromMinutes(2); o.Timeout = Timeout.InfiniteTimeSpan; }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(manager.ProcessBatchAsync(AskMany(200), Ended)));

        Assert.Equal(FailureKind.Overloaded, stopped.Kind);
        Assert.Contains("when the provider is up", stopped.Message, StringComparison.Ordinal);
        Assert.InRange(Time.Elapsed, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(15));
        Assert.Equal(200, stopped.Responses.Count);
    }

    private static int NumberOf(LlmRequest request) =>
        int.Parse(request.Messages[0].Content!.ToString().Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
}
