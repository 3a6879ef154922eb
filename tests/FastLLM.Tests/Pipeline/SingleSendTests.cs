using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A single call is a row of its own: limits, retries, sharing and cache are the manager's.</summary>
public sealed class SingleSendTests : EngineTest
{
    [Fact]
    public async Task SendAsync_ReturnsTheOutcome_AndCountsIt()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), Quick(o => o.Cache = new InMemoryCache()));

        ResponseWrapper<LlmResponse> own = await manager.SendAsync(Ask(1), Ended);
        ResponseWrapper<LlmResponse> cached = await manager.SendAsync(Ask(1), Ended);

        Assert.EndsWith("question 1", ((ChatCompletion)own.Response).Text, StringComparison.Ordinal);
        Assert.Equal((Ask(1).Key.ToString(), 0L, 1, false), (own.RequestId, own.OrderId, own.Attempts, own.IsCacheHit));
        Assert.Equal((0, true), (cached.Attempts, cached.IsCacheHit));
        Assert.Equal((1, 2, 1), (simulator.Stats.Sends, manager.Stats.RequestsCompleted, manager.Stats.CacheHits));
    }

    [Fact]
    public async Task SendAsync_EqualCallsAndRows_ShareOneSend()
    {
        var answer = new TaskCompletionSource<string>();
        var provider = new ScriptedProvider((_, _, _) => answer.Task);

        // One slot: equal calls must not wait for it.
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync([Ask(1), Ask(1)], Ended);
        await provider.WaitForSendsAsync(1, Ended);
        var joined = new Gauge();
        Task<ResponseWrapper<string>>[] calls = [.. Enumerable.Range(0, 50).Select(_ => manager.SendAsync(Ask(1), () => joined.Add(1), new LlmException(FailureKind.Timeout, ""), Ended, Ended))];
        await joined.WaitForAsync(50, Ended);
        answer.SetResult("yes");

        ResponseWrapper<string>[] outcomes = await Task.WhenAll(calls);
        Assert.All([.. outcomes, .. await batch], outcome => Assert.Equal("yes", outcome.Response));
        Assert.Equal((1, 1), (provider.Sends, outcomes.Count(outcome => !outcome.IsShared) + (await batch).Count(outcome => !outcome.IsShared)));
    }

    [Fact]
    public async Task SendAsync_RefusedKey_IsAValue()
    {
        await using var server = FaultServer.Start([], Fault.Respond(401, """{"error":{"message":"Incorrect API key","code":"invalid_api_key"}}"""));
        await using var manager = new RequestManager(new OpenAIProvider("k", server.ApiBase), Quick());

        ResponseWrapper<LlmResponse> outcome = await manager.SendAsync(Ask(1), Ended);

        Assert.Equal((401, 1), (outcome.Error!.StatusCode, outcome.Attempts));
        Assert.Same(outcome.Error, Assert.Throws<LlmException>(() => outcome.Response));
    }

    [Fact]
    public async Task SendAsync_Canceled_ReturnsAtOnce_WhateverTheProviderDoes()
    {
        var provider = new ScriptedProvider((_, _, _) => new TaskCompletionSource<string>().Task);
        await using var manager = new RequestManager<string>(provider, Quick());
        using var source = new CancellationTokenSource();
        Task<ResponseWrapper<string>> call = manager.SendAsync(Ask(1), source.Token);
        await provider.WaitForSendsAsync(1, Ended);

        await source.CancelAsync();

        LlmCanceledException canceled = await Assert.ThrowsAsync<LlmCanceledException>(() => call);
        Assert.Equal(source.Token, canceled.CancellationToken);
        Assert.Equal(FailureKind.Canceled, Assert.Single(canceled.Responses).Error!.Kind);
        await Assert.ThrowsAsync<LlmCanceledException>(() => manager.SendAsync(Ask(2), source.Token));
        Assert.Equal(1, provider.Sends);
    }

    [Fact]
    public async Task SendAsync_CanceledLeader_LeavesTheAnswerToOtherCalls()
    {
        var answer = new TaskCompletionSource<string>();
        var provider = new ScriptedProvider((_, _, cancellationToken) => answer.Task.WaitAsync(cancellationToken));
        await using var manager = new RequestManager<string>(provider, Quick());
        using var source = new CancellationTokenSource();
        Task<ResponseWrapper<string>> leader = manager.SendAsync(Ask(1), source.Token);
        await provider.WaitForSendsAsync(1, Ended);
        var joined = new TaskCompletionSource();
        Task<ResponseWrapper<string>> other = manager.SendAsync(Ask(1), joined.SetResult, new LlmException(FailureKind.Timeout, ""), Ended, Ended);
        await joined.Task.WaitAsync(Ended);

        await source.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => leader);
        answer.SetResult("yes");

        Assert.Equal("yes", (await other).Response);
        Assert.Equal(1, provider.Sends);
    }

    [Fact]
    public async Task SendAsync_CacheCannotBeWritten_ThrowsWithTheResponse()
    {
        await using var cache = new ScriptedCache { BeforePut = _ => throw new IOException("disk full") };
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick(o => o.Cache = cache));

        LlmRunException ended = await Assert.ThrowsAsync<LlmRunException>(() => manager.SendAsync(Ask(1), Ended));

        Assert.Equal(FailureKind.Cache, ended.Kind);
        Assert.Equal(ScriptedProvider.AnswerTo(Ask(1)), Assert.Single(ended.Responses).Response);
    }

    [Fact]
    public async Task SendAsync_ManagerDisposed_EndsTheCall()
    {
        var provider = new ScriptedProvider((_, _, _) => new TaskCompletionSource<string>().Task);
        var manager = new RequestManager<string>(provider, Quick());
        Task<ResponseWrapper<string>> call = manager.SendAsync(Ask(1), Ended);
        await provider.WaitForSendsAsync(1, Ended);

        await manager.DisposeAsync();

        Assert.False((await call).IsSuccess);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => manager.SendAsync(Ask(1), Ended));
    }

    [Fact]
    public async Task SendAsync_RequestWithoutAKey_IsAFailure()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());

        ResponseWrapper<string> outcome = await manager.SendAsync(LlmRequest.FromPrompt("p", "half \ud83d", "m"), Ended);

        Assert.Equal(FailureKind.InvalidRequest, outcome.Error!.Kind);
        await Assert.ThrowsAsync<ArgumentNullException>(() => manager.SendAsync(null!, Ended));
    }
}
