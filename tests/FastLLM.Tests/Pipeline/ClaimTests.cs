using FastLLM.Retries;
using FastLLM.Tests.Checks;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Machines that share a cache send equal requests once: each manager of a test is a machine.</summary>
public sealed class ClaimTests : EngineTest, IAsyncDisposable
{
    private readonly ClaimingCache _here = new();
    private readonly ClaimingCache _there;

    public ClaimTests() => _there = _here.Join();

    public async ValueTask DisposeAsync()
    {
        await _there.DisposeAsync();
        await _here.DisposeAsync();
    }

    [Fact]
    public async Task EqualRequest_OnAnotherMachine_WaitsForTheAnswer()
    {
        var held = new HeldSends();
        var provider = new ScriptedProvider(held.HoldAsync);
        await using RequestManager<string> here = Manager(provider, _here), there = Manager(provider, _there);

        var (first, second) = await AskBothAsync(held, here, there, Ended, Ended);
        held.Answer();

        Assert.Equal((1, false, "fine"), ((await first)[0].Attempts, (await first)[0].IsCacheHit, (await first)[0].Response));
        Assert.Equal((0, true, "fine"), ((await second)[0].Attempts, (await second)[0].IsCacheHit, (await second)[0].Response));
        Assert.Equal((1, 0), (provider.Sends, _here.Claims));
    }

    [Fact]
    public async Task WaitForAnotherMachine_TakesNeitherSlotNorWorker()
    {
        var held = new HeldSends();
        var provider = new ScriptedProvider((request, nth, token) => request == Ask(1) ? held.HoldAsync(request, nth, token) : Task.FromResult("other"));
        await using RequestManager<string> here = Manager(provider, _here), there = Manager(provider, _there, o => o.Concurrency = 1);
        Task first = here.ProcessBatchAsync([Ask(1)], Ended);
        await held.WaitForAsync(1, Ended);

        await using IAsyncEnumerator<ResponseWrapper<string>> outcomes =
            there.ProcessAsync(AskMany(5).Skip(1).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);
        List<ResponseWrapper<string>> others = await TakeAsync(outcomes, 3);
        held.Answer();

        Assert.Equal([1L, 2, 3], others.Select(outcome => outcome.OrderId).Order());
        Assert.Equal("fine", (await TakeAsync(outcomes, 1))[0].Response);
        await first;
    }

    [Fact]
    public async Task Failure_IsNotShared()
    {
        var held = new HeldSends();
        var provider = new ScriptedProvider(held.HoldAsync);
        await using RequestManager<string> here = Manager(provider, _here), there = Manager(provider, _there);
        var (first, second) = await AskBothAsync(held, here, there, Ended, Ended);

        held.Fail(new LlmException(FailureKind.InvalidRequest, "no"));
        await held.WaitForAsync(1, Ended);
        held.Answer();

        Assert.Equal(FailureKind.InvalidRequest, (await first)[0].Error!.Kind);
        Assert.Equal((true, 1), ((await second)[0].IsSuccess, (await second)[0].Attempts));
        Assert.Equal(0, _here.Claims);
    }

    [Fact]
    public async Task CanceledRun_ReleasesItsClaims()
    {
        var held = new HeldSends();
        var provider = new ScriptedProvider(held.HoldAsync);
        await using RequestManager<string> here = Manager(provider, _here), there = Manager(provider, _there);
        using var cancel = new CancellationTokenSource();
        var (first, second) = await AskBothAsync(held, here, there, cancel.Token, Ended);

        await cancel.CancelAsync();

        await Assert.ThrowsAsync<LlmCanceledException>(() => first);
        await held.WaitForAsync(2, Ended); // the send that was given up is still held by the test
        held.Release();
        Assert.True((await second)[0].IsSuccess);
        Assert.Equal(0, _here.Claims);
    }

    [Fact]
    public async Task CanceledRun_NoLongerWaits()
    {
        var held = new HeldSends();
        var provider = new ScriptedProvider(held.HoldAsync);
        await using RequestManager<string> here = Manager(provider, _here), there = Manager(provider, _there);
        using var cancel = new CancellationTokenSource();
        var (first, second) = await AskBothAsync(held, here, there, Ended, cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAsync<LlmCanceledException>(() => second);
        held.Answer();
        Assert.True((await first)[0].IsSuccess);
    }

    [Fact]
    public async Task TotalTimeout_CountsTheWait()
    {
        var held = new HeldSends();
        var provider = new ScriptedProvider(held.HoldAsync);
        await using RequestManager<string> here = Manager(provider, _here);
        await using var there = new RequestManager<string>(
            provider, OnManualClock(o => (o.Cache, o.TotalTimeout) = (_there, TimeSpan.FromMinutes(1))));
        var (first, second) = await AskBothAsync(held, here, there, Ended, Ended);

        Time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal((FailureKind.Timeout, 0), ((await second)[0].Error!.Kind, (await second)[0].Attempts));
        held.Answer();
        await first;
    }

    [Fact]
    public async Task LostClaim_IsLookedUpAgainBeforeTheNextSend()
    {
        // While the first send fails, another machine, to which the claim has gone, puts its answer.
        _here.LosesClaims = true;
        var looked = 0;
        _here.Before = async (what, key) =>
        {
            if (what == "get" && ++looked == 2)
            {
                _here.LosesClaims = false;
                await _there.PutAsync(key, new CacheEntry(ScriptedProvider.Echo().Write("theirs"), "", 200, Time.GetUtcNow()), Ended);
            }
        };
        var provider = ScriptedProvider.Echo();
        await using RequestManager<string> here = Manager(provider, _here);

        ResponseWrapper<string> outcome = (await here.ProcessBatchAsync([Ask(1)], Ended))[0];

        Assert.Equal(("theirs", true, 0), (outcome.Response, outcome.IsCacheHit, provider.Sends));
        Assert.Equal(0, _here.Claims);
    }

    [Fact]
    public async Task Refresh_OnTwoMachines_SendsOnce()
    {
        var provider = ScriptedProvider.Echo();
        await _here.PutAsync(Ask(1).Key, new CacheEntry(provider.Write("old"), provider.CacheScope, 200, Time.GetUtcNow() - TimeSpan.FromDays(1)), Ended);
        var held = new HeldSends();
        var slow = new ScriptedProvider(held.HoldAsync);
        await using RequestManager<string> here = Refreshing(_here), there = Refreshing(_there);

        var (first, second) = await AskBothAsync(held, here, there, Ended, Ended);
        held.Answer();

        Assert.Equal((1, "fine"), ((await first)[0].Attempts, (await first)[0].Response));
        Assert.Equal((0, "fine", true), ((await second)[0].Attempts, (await second)[0].Response, (await second)[0].IsCacheHit));
        Assert.Equal((1, 0), (slow.Sends, _here.Claims));

        RequestManager<string> Refreshing(ClaimingCache cache) => new(slow, OnManualClock(o =>
            (o.Cache, o.RefreshFinishReasons) = (cache, [RequestManagerOptions.AnyFinishReason])));
    }

    [Fact]
    public async Task Correction_OnTwoMachines_IsSentOnce()
    {
        var check = new AnswerCheck(text => int.TryParse(text, out _) ? null : $"\"{text}\" is not a number.");
        var sending = new Gauge();
        var answer = new TaskCompletionSource();
        var provider = new ScriptedAnswers(async (request, _, _) =>
        {
            sending.Add(1);
            await answer.Task;
            return ScriptedAnswers.LastOf(request).StartsWith("Your", StringComparison.Ordinal) ? "1" : "many";
        });
        await using var here = new RequestManager(provider, Quick(o => o.Cache = _here));
        await using var there = new RequestManager(provider, Quick(o => o.Cache = _there));

        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> first = here.ProcessBatchAsync([Ask(1)], check, Ended);
        await sending.WaitForAsync(1, Ended);
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> second = there.ProcessBatchAsync([Ask(1)], check, Ended);
        await _here.Waiting.WaitForAsync(1, Ended);
        answer.SetResult();

        foreach (ResponseWrapper<LlmResponse> outcome in (await first).Concat(await second))
        {
            Assert.Equal(("1", true), (((ChatCompletion)outcome.Response).Text, outcome.IsCorrected));
        }

        Assert.Equal((2, 0), (provider.Sends, _here.Claims));
    }

    [Fact]
    public async Task AnswerThatCannotBeKept_ReleasesItsClaim()
    {
        _here.Before = (what, _) => what == "put" ? throw new IOException("away") : Task.CompletedTask;
        await using RequestManager<string> here = Manager(ScriptedProvider.Echo(), _here);

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => here.ProcessBatchAsync([Ask(1)], Ended));

        Assert.Equal((FailureKind.Cache, 0), (stopped.Kind, _here.Claims));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task ThreeMachines_WithInterleavingsAtRandom_SendEachRequestOnce(int seed)
    {
        const int Rows = 3000, Distinct = 200;
        var provider = new ScriptedProvider(static async (request, _, _) =>
        {
            await Task.Yield();
            return ScriptedProvider.AnswerTo(request);
        });
        ClaimingCache[] caches = [_here, _there, _here.Join()];
        Array.ForEach(caches, cache => cache.Before = static (_, key) => (key.GetHashCode() & 3) == 0 ? Task.CompletedTask : YieldAsync());
        RequestManager<string>[] machines = [.. caches.Select(cache => Manager(provider, cache, o => o.Concurrency = 20))];
        LlmRequest[] requests = AskMany(Distinct);

        var outcomes = await Task.WhenAll(machines.Select((machine, i) =>
        {
            var random = new Random(seed + i);
            return machine.ProcessBatchAsync(Enumerable.Range(0, Rows).Select(_ => requests[random.Next(Distinct)]), Ended);
        }));

        Assert.All(outcomes.SelectMany(batch => batch), outcome => Assert.Equal($"answer to {outcome.Key}", outcome.Response));
        Assert.All(provider.SendsByKey, sent => Assert.Equal(1, sent.Value));
        Assert.Equal(0, _here.Claims);
        foreach (RequestManager<string> machine in machines)
        {
            await machine.DisposeAsync();
        }

        static async Task YieldAsync() => await Task.Yield();
    }

    // The first machine sends, the second one waits for its answer.
    private async Task<(Task<IReadOnlyList<ResponseWrapper<string>>> First, Task<IReadOnlyList<ResponseWrapper<string>>> Second)> AskBothAsync(
        HeldSends held, RequestManager<string> here, RequestManager<string> there, CancellationToken untilHere, CancellationToken untilThere)
    {
        Task<IReadOnlyList<ResponseWrapper<string>>> first = here.ProcessBatchAsync([Ask(1)], untilHere);
        await held.WaitForAsync(1, Ended);
        Task<IReadOnlyList<ResponseWrapper<string>>> second = there.ProcessBatchAsync([Ask(1)], untilThere);
        await _here.Waiting.WaitForAsync(1, Ended);
        return (first, second);
    }

    private static RequestManager<string> Manager(ScriptedProvider provider, ClaimingCache cache, Action<RequestManagerOptions>? change = null) =>
        new(provider, Quick(o =>
        {
            o.Cache = cache;
            change?.Invoke(o);
        }));
}
