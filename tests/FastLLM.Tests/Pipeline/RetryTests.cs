using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>What is sent again, when, and how often; on a clock that moves only when told.</summary>
public sealed class RetryTests : EngineTest
{
    private static readonly TimeSpan Tolerance = TimeSpan.FromMilliseconds(1);

    [Fact]
    public async Task FailuresOfTheRequestAreSentAgainAfterBackOffThatDoubles_UpToTheNumberOfAttempts()
    {
        var sentAt = new List<TimeSpan>();
        var provider = Failing(() => new LlmException(FailureKind.ServerError, "500"), sentAt);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.RetryAttempts = 4; Untimed(o); }));

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal(FailureKind.ServerError, outcome.Error?.Kind);
        Assert.Equal((4, 4), (outcome.Attempts, outcome.Error!.Attempts));
        AssertTimes([0, 1, 3, 7], sentAt);
    }

    [Theory]
    [InlineData(FailureKind.ServerError)]
    [InlineData(FailureKind.RateLimited)]
    public async Task InfiniteTotalTimeout_IsNone(FailureKind kind)
    {
        var provider = new ScriptedProvider((_, nth, _) => nth < 3 ? throw new LlmException(kind, "failed") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.TotalTimeout = Timeout.InfiniteTimeSpan; Untimed(o); }));

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal((true, 3), (outcome.IsSuccess, outcome.Attempts));
    }

    [Fact]
    public async Task OneAttemptMeansNeverAgain()
    {
        var sentAt = new List<TimeSpan>();
        var provider = Failing(() => new LlmException(FailureKind.ServerError, "500"), sentAt);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.RetryAttempts = 1; Untimed(o); }));

        Assert.Equal(1, (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0].Attempts);
    }

    [Theory]
    [InlineData(FailureKind.RateLimited, 11)]
    [InlineData(FailureKind.Overloaded, 11)]
    [InlineData(FailureKind.ConnectionRefused, 11)]
    [InlineData(FailureKind.TooManyOpenFiles, 1)] // nothing was sent
    public async Task BeingThrottledIsAWaitAndCountsAsNoAttempt(FailureKind kind, int sends)
    {
        var provider = new ScriptedProvider((_, nth, _) => nth <= 10 ? throw new LlmException(kind, "later") : Task.FromResult("now"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.RetryAttempts = 1; Untimed(o); }));

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal("now", outcome.Response);
        Assert.Equal(sends, outcome.Attempts);
    }

    [Fact]
    public async Task WaitsForAThrottlingProviderHaveACeilingOfTheirOwn()
    {
        var sentAt = new List<TimeSpan>();
        var provider = Failing(() => new LlmException(FailureKind.RateLimited, "429"), sentAt);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.MaxThrottleWait = TimeSpan.FromMinutes(15); Untimed(o); }));

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal(FailureKind.RateLimited, outcome.Error?.Kind);
        Assert.InRange(sentAt[^1], TimeSpan.FromMinutes(13), TimeSpan.FromMinutes(15));
    }

    [Fact]
    public async Task AThrottlingProviderIsNotAskedWithoutEnd_EvenWithoutADelay()
    {
        var provider = Failing(() => new LlmException(FailureKind.Overloaded, "503"), []);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.RetryDelay = TimeSpan.Zero; o.MaxThrottleWait = TimeSpan.FromMinutes(10); Untimed(o); }));

        await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended));

        Assert.InRange(provider.Sends, 10, 60);
    }

    [Fact]
    public async Task WhatTheProviderAsksToWaitIsAMinimum()
    {
        var sentAt = new List<TimeSpan>();
        var provider = new ScriptedProvider((_, nth, _) =>
        {
            sentAt.Add(Time.Elapsed);
            return nth == 1
                ? throw new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromSeconds(20) }
                : Task.FromResult("now");
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(Untimed));

        await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended));

        Assert.InRange(sentAt[1] - sentAt[0], TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(25));
    }

    [Fact]
    public async Task AWaitLongerThanTheCeilingFailsTheRowAtOnce()
    {
        var provider = Failing(() => new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromHours(10) }, []);
        await using var manager = new RequestManager<string>(provider, OnManualClock(Untimed));

        var outcome = (await manager.ProcessBatchAsync([Ask(1)], Ended))[0];

        Assert.Equal((FailureKind.RateLimited, 1), (outcome.Error!.Kind, provider.Sends));
    }

    [Fact]
    public async Task NoLeaseIsHeldWhileARequestBacksOff()
    {
        var provider = new ScriptedProvider((request, nth, _) => request.Messages[0].Content!.ToString().EndsWith('0') && nth <= 2
            ? throw new LlmException(FailureKind.ServerError, "500")
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 2; Untimed(o); }));

        await using var outcomes = manager.ProcessAsync(AskMany(200).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);

        // Twenty requests back off, two may be in flight, and time stands still: the others are answered all the same.
        var answered = await TakeAsync(outcomes, 180);
        await Time.WaitForTimersAsync(20, Ended);

        Assert.Equal(0, manager.Stats.InFlight);
        Assert.All(answered.Concat(await RunClockAsync(TakeAsync(outcomes, 20))), outcome => Assert.True(outcome.IsSuccess));
    }

    [Fact]
    public async Task AfterATimeoutTheNextAttemptGetsDouble()
    {
        var provider = new ScriptedProvider((_, _, token) => new TaskCompletionSource<string>().Task.WaitAsync(token));
        await using var manager = new RequestManager<string>(provider, OnManualClock());

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal(FailureKind.Timeout, outcome.Error?.Kind);
        Assert.Equal([TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(120)], provider.Timeouts);
        Assert.Contains("120 s", outcome.Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProviderThatDoesNotListenToItsTokenTimesOutAllTheSame()
    {
        var provider = new ScriptedProvider((_, _, _) => new TaskCompletionSource<string>().Task);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.RetryAttempts = 1));

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal(FailureKind.Timeout, outcome.Error?.Kind);
        Assert.InRange(outcome.Latency, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30) + Tolerance);
    }

    [Theory]
    [InlineData("o3-mini", 600)]
    [InlineData("gpt-5", 600)]
    [InlineData("deepseek-reasoner", 600)]
    [InlineData("gpt-4o", 30)]
    [InlineData(null, 30)]
    public async Task ATimeoutThatWasLeftAloneIsLongerForModelsThatReason(string? model, int seconds)
    {
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, OnManualClock());

        await manager.ProcessBatchAsync([Ask(1) with { Model = model }], Ended);

        Assert.Equal(TimeSpan.FromSeconds(seconds), Assert.Single(provider.Timeouts));
    }

    [Fact]
    public async Task ATimeoutThatWasChosenHoldsForEveryModel()
    {
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.Timeout = TimeSpan.FromSeconds(30)));

        await manager.ProcessBatchAsync([Ask(1) with { Model = "o3" }], Ended);

        Assert.Equal(TimeSpan.FromSeconds(30), Assert.Single(provider.Timeouts));
    }

    [Fact]
    public async Task TheWholeRequestEndsWhenItsTimeIsOver()
    {
        var sentAt = new List<TimeSpan>();
        var provider = new ScriptedProvider((_, _, token) =>
        {
            sentAt.Add(Time.Elapsed);
            return new TaskCompletionSource<string>().Task.WaitAsync(token);
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o =>
        {
            o.Timeout = TimeSpan.FromSeconds(30);
            o.TotalTimeout = TimeSpan.FromSeconds(50);
        }));

        var outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.Equal(FailureKind.Timeout, outcome.Error?.Kind);
        Assert.Equal(2, outcome.Attempts);
        Assert.InRange(Time.Elapsed, TimeSpan.FromSeconds(49.9), TimeSpan.FromSeconds(50.1));
    }

    [Fact]
    public async Task TheTimeOfTheWholeRequestEndsTheWaitForALeaseToo()
    {
        var provider = new ScriptedProvider((request, _, _) => request == Ask(0)
            ? new TaskCompletionSource<string>().Task
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o =>
        {
            o.Concurrency = 1;
            o.RetryAttempts = 1;
            o.Timeout = o.TotalTimeout.GetValueOrDefault(TimeSpan.FromSeconds(10));
            o.TotalTimeout = TimeSpan.FromSeconds(10);
        }));

        Task<IReadOnlyList<ResponseWrapper<string>>> first = manager.ProcessBatchAsync([Ask(0)], Ended);
        await Time.WaitForTimersAsync(1, Ended);
        Task<IReadOnlyList<ResponseWrapper<string>>> second = manager.ProcessBatchAsync([Ask(1)], Ended);
        await Time.WaitForTimersAsync(2, Ended);
        Time.Advance(TimeSpan.FromSeconds(10.1));

        Assert.Equal(FailureKind.Timeout, (await first)[0].Error?.Kind);
        ResponseWrapper<string> waited = (await second)[0];
        Assert.True(waited.IsSuccess || waited.Error?.Kind == FailureKind.Timeout);
    }

    [Fact]
    public async Task ATimeoutOfOneRequestDoesNotTouchTheNextOneOfTheSameWorker()
    {
        var provider = new ScriptedProvider((request, _, token) => request == Ask(0)
            ? new TaskCompletionSource<string>().Task.WaitAsync(token)
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 1; o.RetryAttempts = 1; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(5), Ended));

        Assert.Equal(FailureKind.Timeout, outcomes[0].Error?.Kind);
        Assert.All(outcomes.Skip(1), outcome => Assert.True(outcome.IsSuccess));
    }

    [Fact]
    public async Task ANameThatDoesNotResolveIsTriedAgainBeforeItStopsTheRun()
    {
        var provider = Failing(() => new HttpRequestException(HttpRequestError.NameResolutionError), []);
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 1; Untimed(o); }));

        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync([Ask(1)], Ended);
        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(batch));

        Assert.Equal(FailureKind.NameNotResolved, stopped.Kind);
        Assert.Equal(3, provider.Sends);
    }

    [Fact]
    public async Task AStoppedRunDoesNotWaitForItsBackOffs()
    {
        var provider = new ScriptedProvider((request, _, _) => throw new LlmException(
            request == Ask(0) ? FailureKind.ServerError : FailureKind.Cache, "no"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 1; o.RetryDelay = TimeSpan.FromHours(1); Untimed(o); }));

        // The clock stands still: the first request would back off for an hour.
        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(3), Ended));

        Assert.Equal(FailureKind.NotSent, stopped.Responses[0].Error?.Kind);
        Assert.Equal(FailureKind.Cache, stopped.Responses[1].Error?.Kind);
    }

    private static void Untimed(RequestManagerOptions options) => options.Timeout = Timeout.InfiniteTimeSpan;

    private static void AssertTimes(double[] seconds, List<TimeSpan> times)
    {
        Assert.Equal(seconds.Length, times.Count);
        Assert.All(times, (time, i) => Assert.InRange(time.TotalSeconds, seconds[i] - 0.01, seconds[i] + 0.01));
    }

    private ScriptedProvider Failing(Func<Exception> failure, List<TimeSpan> sentAt) => new((_, _, _) =>
    {
        sentAt.Add(Time.Elapsed);
        throw failure();
    });
}
