using System.Text;
using FastLLM.Retries;
using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Caching;

/// <summary>A database that is away: answers that are paid for wait in memory, nothing new is sent, and after a while the run ends.</summary>
public sealed class OutageTests : IAsyncLifetime
{
    private const string Scope = "https://here.example/v1";

    private readonly List<string> _notices = [];
    private readonly Gauge _noticed = new();
    private PostgresServer? _server;
    private string _database = "";

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(PostgresServer.IsInstalled, PostgresServer.Missing);
        _server = await PostgresServer.StartAsync();
        _database = await _server.CreateDatabaseAsync();
    }

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? default;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PutsAndLookups_WaitForTheDatabase(bool crash)
    {
        await using PostgresCache cache = await OpenAsync();
        await PutAsync(cache, 1);
        await _server!.StopAsync(crash);

        Task[] puts = [.. Enumerable.Range(2, 50).Select(i => PutAsync(cache, i))];
        Task<CacheEntry?> lookup = cache.GetAsync(Key(1), Scope, Ended).AsTask();
        await _noticed.WaitForAsync(1, Ended);
        Assert.False(lookup.IsCompleted);
        Assert.All(puts, put => Assert.False(put.IsCompleted));
        await _server.StartAgainAsync();
        await Task.WhenAll(puts);

        Assert.NotNull(await lookup);
        for (var i = 2; i < 52; i++)
        {
            Assert.True(await cache.ExistsAsync(Key(i), Scope, Ended));
        }

        await _noticed.WaitForAsync(2, Ended);
        Assert.Contains("does not respond", _notices[0], StringComparison.Ordinal);
        Assert.Contains("responds again", _notices[1], StringComparison.Ordinal);
        Assert.Equal(2, _notices.Count);
    }

    [Fact]
    public async Task Claims_OutliveTheDatabase()
    {
        await using PostgresCache here = await OpenAsync(), there = await OpenAsync();
        CacheClaim claim = (await here.GetOrClaimAsync(Key(1), Scope, cancellationToken: Ended)).Claim!;
        await _server!.StopAsync(crash: true);
        Task<CacheLookup> waiting = there.WaitOrClaimAsync(Key(1), Scope, cancellationToken: Ended).AsTask();
        Task put = PutAsync(here, 1);
        await _noticed.WaitForAsync(1, Ended);
        await _server.StartAgainAsync();

        // The answer was there before the database was: it is not claimed again.
        Assert.NotNull((await waiting).Entry);
        await put;
        claim.Release();
    }

    [Fact]
    public async Task DatabaseThatStaysAway_StopsTheRun_WithTheAnswersThatWerePaidFor()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await using PostgresCache cache = await OpenAsync(o => o.MaxOutage = TimeSpan.FromMilliseconds(300));
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), new RequestManagerOptions
        {
            Cache = cache,
            Concurrency = 10,
            ShowProgress = false,
        });
        IAsyncEnumerator<ResponseWrapper<LlmResponse>> outcomes = manager.ProcessAsync(RowsAsync(), Ended).GetAsyncEnumerator(Ended);
        List<ResponseWrapper<LlmResponse>> all = [];
        LlmRunException? stopped = null;
        try
        {
            while (await outcomes.MoveNextAsync())
            {
                all.Add(outcomes.Current);
                if (all.Count == 20)
                {
                    await _server!.StopAsync(crash: true);
                }
            }
        }
        catch (LlmRunException e)
        {
            stopped = e;
            all.AddRange(e.Responses.Cast<ResponseWrapper<LlmResponse>>());
        }

        Assert.Equal(FailureKind.Cache, stopped!.Kind);
        Assert.Contains("has not responded for", stopped.Message, StringComparison.Ordinal);
        Assert.Equal(simulator.Stats.Sends, all.Count(outcome => outcome.IsSuccess));

        static async IAsyncEnumerable<LlmRequest> RowsAsync()
        {
            for (var i = 0; i < 100_000; i++)
            {
                yield return LlmRequest.FromPrompt("test", $"question {i}", "m");
            }

            await Task.CompletedTask;
        }
    }

    private static RequestKey Key(int number) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    private static Task PutAsync(PostgresCache cache, int number) =>
        cache.PutAsync(Key(number), new CacheEntry(new byte[100], Scope, 200, DateTimeOffset.UnixEpoch), Ended).AsTask();

    private async Task<PostgresCache> OpenAsync(Action<PostgresCacheOptions>? change = null)
    {
        var options = new PostgresCacheOptions
        {
            OnNotice = notice =>
            {
                lock (_notices)
                {
                    _notices.Add(notice);
                }

                _noticed.Add(1);
            },
        };
        change?.Invoke(options);
        return await PostgresCache.OpenAsync(_database, options, Ended);
    }
}
