using System.Runtime.CompilerServices;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A manager that is neither used nor disposed is garbage: no timer and no provider keeps it and its connections alive.</summary>
public sealed class IdleManagerTests : EngineTest
{
    [Fact]
    public async Task UndisposedManagers_AfterTheirBatches_AreCollected()
    {
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        var provider = new OpenAIProvider("", simulator.ApiBase);

        WeakReference[] managers = [.. await Task.WhenAll(Enumerable.Range(0, 20).Select(i => UseAsync(provider, i)))];

        await AssertCollectedAsync(managers);
        GC.KeepAlive(provider);
    }

    [Fact]
    public async Task UndisposedManager_AfterACancelledWaitForItsLimiter_IsCollected()
    {
        var provider = ScriptedProvider.Echo();

        WeakReference manager = await CancelAsync(provider);

        await AssertCollectedAsync(manager);
        GC.KeepAlive(provider);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> UseAsync(Provider<LlmResponse> provider, int number)
    {
        var manager = new RequestManager(provider, Quick(o => o.Concurrency = 4));
        Assert.All(await manager.ProcessBatchAsync(AskMany(4 + number), Ended), outcome => Assert.True(outcome.IsSuccess));
        return new WeakReference(manager);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static async Task<WeakReference> CancelAsync(ScriptedProvider provider)
    {
        var manager = new RequestManager<string>(provider, Quick(o => o.RateLimits = new RateLimits { RequestsPerMinute = 1 }));
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        IAsyncEnumerator<ResponseWrapper<string>> outcomes = manager.ProcessAsync(AskMany(4).ToAsyncEnumerable(), cancel.Token).GetAsyncEnumerator(Ended);
        Assert.True(await outcomes.MoveNextAsync());
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(async () => await outcomes.MoveNextAsync());
        await outcomes.DisposeAsync();
        return new WeakReference(manager);
    }

    private static async Task AssertCollectedAsync(params WeakReference[] references)
    {
        for (var i = 0; i < 20 && references.Any(reference => reference.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Task.Yield(); // lets workers that have just finished leave their threads
        }

        Assert.Equal(0, references.Count(reference => reference.IsAlive));
    }
}
