using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>The code of a provider that fails for an answer in the cache concerns that row: the cache works, and nothing is sent.</summary>
public sealed class CachedAnswerTests : EngineTest
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Read_ThrowsForOneAnswer_FailsItsRowAlone(bool isShared)
    {
        CacheProvider cache = await FilledAsync(isShared);
        var provider = new Faulty { ReadFails = ScriptedProvider.AnswerTo(Ask(1)) };
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Cache = cache));

        IReadOnlyList<ResponseWrapper<string>> outcomes = await manager.ProcessBatchAsync(AskMany(3), Ended);

        Assert.Equal([true, false, true], outcomes.Select(outcome => outcome.IsCacheHit));
        Assert.Equal((FailureKind.Provider, 0, 0m), (outcomes[1].Error!.Kind, outcomes[1].Attempts, outcomes[1].Cost));
        Assert.Contains("Read", outcomes[1].Error!.Message, StringComparison.Ordinal);
        Assert.Contains("another shape", outcomes[1].Error!.Message, StringComparison.Ordinal);
        Assert.Equal(0, manager.Stats.Sent);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GetUsage_ThrowsForACachedAnswer_LeavesItsUsageUnknown(bool isShared)
    {
        CacheProvider cache = await FilledAsync(isShared);
        await using var manager = new RequestManager<string>(new Faulty { UsageFails = true }, Quick(o => o.Cache = cache));

        IReadOnlyList<ResponseWrapper<string>> outcomes = await manager.ProcessBatchAsync(AskMany(3), Ended);

        Assert.All(outcomes, outcome => Assert.True(outcome is { IsCacheHit: true, Usage: null }));
    }

    [Fact]
    public async Task StoppedRun_CauseWithoutFullStop_EndsItsSentence()
    {
        var cache = new ScriptedCache { BeforeGet = _ => throw new IOException("the disk is gone") };
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick(o => o.Cache = cache));

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(3), Ended));

        Assert.Contains("the disk is gone. Make the cache readable", stopped.Message, StringComparison.Ordinal);
    }

    private static async Task<CacheProvider> FilledAsync(bool isShared)
    {
        CacheProvider cache = isShared ? new ClaimingCache() : new InMemoryCache();
        await using var manager = new RequestManager<string>(new Faulty(), Quick(o => o.Cache = cache));
        await manager.ProcessBatchAsync(AskMany(3), Ended);
        return cache;
    }

    private sealed class Faulty : Provider<string>
    {
        public Faulty()
            : base("", "http://faulty.test/v1")
        {
        }

        public string? ReadFails { get; init; }

        public bool UsageFails { get; init; }

        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

        public override Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default) =>
            Task.FromResult(ScriptedProvider.AnswerTo(request));

        public override string Read(ReadOnlyMemory<byte> bytes) =>
            base.Read(bytes) is var text && text == ReadFails ? throw new InvalidOperationException("another shape") : text;

        public override Usage? GetUsage(string response) => UsageFails ? throw new InvalidOperationException("no usage") : null;
    }
}
