using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Caching;

/// <summary>Managers on different machines pay for equal requests once.</summary>
public sealed class SharedSendsTests(SharedServers servers)
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FourMachines_SendEachRequestOnce()
    {
        const int Machines = 4, Rows = 5000, Distinct = 2000;
        await using var simulator = await SimulatorServer.StartAsync(
            new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20), LatencySigma = 0.5, ErrorRate = 0.02 }, Ended);
        string database = await servers.CreateDatabaseAsync();

        long[] hits = await Task.WhenAll(Enumerable.Range(0, Machines).Select(async machine =>
        {
            await using PostgresCache cache = await PostgresCache.OpenAsync(database, cancellationToken: Ended);
            await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), new RequestManagerOptions
            {
                Cache = cache,
                Concurrency = 100,
                ShowProgress = false,
                RetryDelay = TimeSpan.FromMilliseconds(10),
            });
            var random = new Random(machine);
            var outcomes = await manager.ProcessBatchAsync(
                Enumerable.Range(0, Rows).Select(row => Ask(row < Distinct / Machines ? (row * Machines) + machine : random.Next(Distinct))), Ended);
            Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess));
            return manager.Stats.CacheHits;
        }));

        Assert.Equal(Distinct, simulator.Stats.Count("/v1/chat/completions", 200));
        Assert.True(hits.Sum() > 0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task DatabaseThatFailsAtRandom_ChangesNothing(int seed)
    {
        const int Rows = 1000, Distinct = 100;
        string database = await servers.CreateDatabaseAsync();
        var provider = new ScriptedProvider(static async (request, nth, _) =>
        {
            await Task.Yield();
            return nth == 1 && request.Key.GetHashCode() % 10 == 0
                ? throw new LlmException(FailureKind.ServerError, "A fault of the test.") : ScriptedProvider.AnswerTo(request);
        });

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 2).Select(async machine =>
        {
            await using PostgresCache cache = await PostgresCache.OpenAsync(
                database, new PostgresCacheOptions { Faults = new RandomFaults((seed * 10) + machine, 0.03) }, Ended);
            await using var manager = new RequestManager<string>(provider, new RequestManagerOptions
            {
                Cache = cache,
                Concurrency = 20,
                ShowProgress = false,
                RetryDelay = TimeSpan.Zero,
            });
            var random = new Random((seed * 10) + machine);
            return await manager.ProcessBatchAsync(Enumerable.Range(0, Rows).Select(_ => Ask(random.Next(Distinct))), Ended);
        }));

        Assert.All(outcomes.SelectMany(batch => batch), outcome => Assert.Equal($"answer to {outcome.Key}", outcome.Response));
        Assert.All(provider.SendsByKey, sent => Assert.Equal(sent.Key.GetHashCode() % 10 == 0 ? 2 : 1, sent.Value));
    }

    private static LlmRequest Ask(int number) => LlmRequest.FromPrompt("test", $"question {number}", "m");
}
