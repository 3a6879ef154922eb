using System.Net;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Nothing is paid twice: equal requests share one send.</summary>
public sealed class SharingTests : EngineTest
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AThousandRequestsWithAHundredBodiesAreSentAHundredTimes(bool cached)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await using var manager = new RequestManager(
            new OpenAIProvider("", simulator.ApiBase), Quick(o => { o.Concurrency = 500; o.Cache = cached ? new InMemoryCache() : null; }));

        var outcomes = await manager.ProcessBatchAsync(Enumerable.Range(0, 1000).Select(i => Ask(i % 100)), Ended);

        Assert.Equal(100, simulator.Stats.Sends);
        Assert.All(outcomes, (outcome, i) => Assert.EndsWith($"question {i % 100}", ((ChatCompletion)outcome.Response).Text, StringComparison.Ordinal));
        Assert.Equal(100, outcomes.Sum(outcome => outcome.Attempts));
        Assert.All(outcomes, outcome => Assert.Equal(outcome.Attempts == 0, outcome.IsShared || outcome.IsCacheHit));
    }

    [Fact]
    public async Task WhenTheFirstFiftyAreAnsweredWith503_ExactlyFiftyAreSentAgain()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { FailFirst = 50, ErrorStatus = 503 }, Ended);
        await using var manager = new RequestManager(
            new OpenAIProvider("", simulator.ApiBase), Quick(o => { o.Concurrency = 500; o.Cache = new InMemoryCache(); }));

        var outcomes = await manager.ProcessBatchAsync(Enumerable.Range(0, 1000).Select(i => Ask(i % 100)), Ended);

        Assert.Equal(150, simulator.Stats.Sends);
        Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess));
        Assert.Equal(50, manager.Stats.Throttled);
        Assert.Equal(50, manager.Stats.Retried);
    }

    [Fact]
    public async Task APermanentFailureOfABodyAskedAHundredTimesIsOneSendAndAHundredFailures()
    {
        await using var server = FaultServer.Start([], Fault.Respond(400, """{"error":{"message":"no","type":"invalid_request_error","code":null}}"""));
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o => o.Concurrency = 7));

        var outcomes = await manager.ProcessBatchAsync(Enumerable.Repeat(Ask(1), 100), Ended);

        Assert.Single(server.Requests);
        Assert.All(outcomes, outcome => Assert.Equal((FailureKind.InvalidRequest, 400), (outcome.Error!.Kind, outcome.Error.StatusCode)));
        Assert.Equal(1, outcomes.Sum(outcome => outcome.Attempts));
        Assert.Equal(100, manager.Stats.Failed);
    }

    [Fact]
    public async Task AHundredWorkersOnTwoMillionRowsSendEachDistinctKeyOnce()
    {
        const int Distinct = 200_000;
        var provider = new ScriptedProvider(static async (request, _, _) =>
        {
            await Task.Yield();
            return request.Model!;
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 100; o.Cache = new InMemoryCache(); }));
        LlmRequest[] distinct = AskMany(Distinct);

        // Neighbours are equal, so that rows meet while their question is in flight, just before and just after.
        var outcomes = await manager.ProcessBatchAsync(Enumerable.Range(0, Distinct * 10).Select(i => distinct[i / 10]), Ended);

        Assert.Equal(Distinct, provider.Sends);
        Assert.Equal(Distinct * 10, outcomes.Count(outcome => outcome.IsSuccess));
    }

    [Fact]
    public async Task ALeaderThatIsCancelledLeavesTheAnswerToItsFollowers()
    {
        var answer = new TaskCompletionSource<string>();
        var sent = new TaskCompletionSource();
        var provider = new ScriptedProvider((_, _, token) =>
        {
            sent.TrySetResult();
            return answer.Task.WaitAsync(token);
        });
        // The follower's one worker takes its rows in turn: when it looks up the second, the first has joined.
        var joined = new TaskCompletionSource();
        var cache = new ScriptedCache
        {
            BeforeGet = key =>
            {
                if (key == Ask(2).Key)
                {
                    joined.SetResult();
                }

                return Task.CompletedTask;
            },
        };
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 1; o.Cache = cache; }));
        using var cancel = new CancellationTokenSource();

        Task leader = manager.ProcessBatchAsync([Ask(1)], cancel.Token);
        await sent.Task;
        Task<IReadOnlyList<ResponseWrapper<string>>> followers = manager.ProcessBatchAsync([Ask(1), Ask(2)], Ended);
        await joined.Task;
        await cancel.CancelAsync();

        await Assert.ThrowsAsync<LlmCanceledException>(() => leader);
        answer.SetResult("answer");
        Assert.All(await followers, outcome => Assert.Equal("answer", outcome.Response));
        Assert.Equal(1, provider.SendsByKey[Ask(1).Key]);
    }

    [Fact]
    public async Task WhenTheLastCallerLeavesTheSendIsGivenUp()
    {
        var sent = new TaskCompletionSource<CancellationToken>();
        var provider = new ScriptedProvider((request, _, token) =>
        {
            sent.TrySetResult(token);
            return request == Ask(1) ? new TaskCompletionSource<string>().Task.WaitAsync(token) : Task.FromResult("fine");
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        using var cancel = new CancellationTokenSource();

        Task batch = manager.ProcessBatchAsync([Ask(1)], cancel.Token);
        CancellationToken token = await sent.Task;
        await cancel.CancelAsync();

        await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
        // The only lease comes back when the provider has noticed.
        Assert.True((await manager.ProcessBatchAsync([Ask(2)], Ended))[0].IsSuccess);
        Assert.True(token.IsCancellationRequested);
    }

    [Fact]
    public async Task AnAnswerThatIsInIsRecordedAlthoughNobodyWaitsForItAnyMore()
    {
        var recording = new TaskCompletionSource();
        var mayRecord = new TaskCompletionSource();
        var cache = new ScriptedCache
        {
            BeforePut = _ =>
            {
                recording.SetResult();
                return mayRecord.Task;
            },
        };
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Cache = cache));
        using var cancel = new CancellationTokenSource();

        Task batch = manager.ProcessBatchAsync([Ask(1)], cancel.Token);
        await recording.Task;
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
        mayRecord.SetResult();

        await cache.WaitForPutsAsync(1, Ended);
        Assert.True(await cache.ExistsAsync(Ask(1).Key, cancellationToken: Ended));
    }

    [Fact]
    public async Task AFailureIsSharedByThoseWhoWaited_AndAskedAgainByTheNextBatch()
    {
        var provider = new ScriptedProvider((_, nth, _) => nth == 1
            ? throw new LlmException(FailureKind.InvalidRequest, "no")
            : Task.FromResult("yes"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Cache = new InMemoryCache()));

        var first = await manager.ProcessBatchAsync([Ask(1), Ask(1), Ask(1)], Ended);
        var second = await manager.ProcessBatchAsync([Ask(1), Ask(1)], Ended);

        Assert.All(first, outcome => Assert.Equal(FailureKind.InvalidRequest, outcome.Error?.Kind));
        Assert.All(second, outcome => Assert.Equal("yes", outcome.Response));
        Assert.Equal(2, provider.Sends);
    }

    [Fact]
    public async Task SamplesOfOneQuestionAreAskedOneByOne()
    {
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Cache = new InMemoryCache()));

        await manager.ProcessBatchAsync(Enumerable.Range(0, 10).Select(i => Ask(1) with { Sample = i % 5 }), Ended);

        Assert.Equal(5, provider.Sends);
    }

    [Fact]
    public async Task AChangedCopyOfARequestIsAnotherRequest()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), Quick(o => o.Cache = new InMemoryCache()));
        LlmRequest original = Ask(1);
        _ = original.Key;

        var outcomes = await manager.ProcessBatchAsync([original, original with { Messages = ["something else"] }], Ended);

        Assert.EndsWith("question 1", ((ChatCompletion)outcomes[0].Response).Text, StringComparison.Ordinal);
        Assert.EndsWith("something else", ((ChatCompletion)outcomes[1].Response).Text, StringComparison.Ordinal);
        Assert.Equal(2, simulator.Stats.DistinctBodies);
    }

    [Fact]
    public async Task TwoEndpointsOnOneCacheDoNotAnswerForEachOther()
    {
        await using var cache = new InMemoryCache();
        ScriptedProvider here = new((_, _, _) => Task.FromResult("here"), "http://here.test/v1");
        ScriptedProvider there = new((_, _, _) => Task.FromResult("there"), "http://there.test/v1");
        await using var first = new RequestManager<string>(here, Quick(o => o.Cache = cache));
        await using var second = new RequestManager<string>(there, Quick(o => o.Cache = cache));
        await using var third = new RequestManager<string>(here, Quick(o => o.Cache = cache));

        Assert.Equal("here", (await first.ProcessBatchAsync([Ask(1)], Ended))[0].Response);
        Assert.Equal("there", (await second.ProcessBatchAsync([Ask(1)], Ended))[0].Response);

        ResponseWrapper<string> again = (await third.ProcessBatchAsync([Ask(1)], Ended))[0];
        Assert.Equal("here", again.Response);
        Assert.True(again.IsCacheHit);
        Assert.Equal((1, 1), (here.Sends, there.Sends));
        Assert.Equal(2, cache.Count);
    }

    [Fact]
    public async Task TwoBatchesOfOneManagerShareWhatIsInFlightAndOneLimit()
    {
        var provider = new ScriptedProvider(static async (request, _, _) =>
        {
            await Task.Yield();
            return request.Key.ToString();
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 8; o.Cache = new InMemoryCache(); }));

        var batches = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => manager.ProcessBatchAsync(AskMany(500), Ended)));

        Assert.Equal(500, provider.Sends);
        Assert.InRange(provider.PeakInFlight, 1, 8);
        Assert.All(batches, outcomes => Assert.All(outcomes, outcome => Assert.Equal(outcome.RequestId, outcome.Response)));
    }
}
