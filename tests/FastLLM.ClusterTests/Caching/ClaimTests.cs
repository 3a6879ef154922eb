using System.Text;
using FastLLM.TestKit.Servers;
using Npgsql;
using Xunit;

namespace FastLLM.ClusterTests.Caching;

/// <summary>Claims of caches on different machines: each cache has connections of its own.</summary>
public sealed class ClaimTests(SharedServers servers) : IAsyncLifetime
{
    private const string Scope = "https://here.example/v1";

    private static readonly RequestKey s_key = RequestKey.Compute("/v1/x", "{}"u8);

    private string _database = "";

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _database = await servers.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => default;

    [Fact]
    public async Task SecondClaim_IsTaken_UntilTheEntryIsPut()
    {
        await using PostgresCache here = await OpenAsync(), there = await OpenAsync();

        CacheLookup first = await ClaimAsync(here);
        Assert.False(first.Claim!.IsLost);
        Assert.True((await ClaimAsync(there)).IsTaken);
        Assert.True((await ClaimAsync(here)).IsTaken);

        ValueTask<CacheLookup> waiting = there.WaitOrClaimAsync(s_key, Scope, cancellationToken: Ended);
        await PutAsync(here, "answer");
        CacheLookup found = await waiting;

        Assert.Equal("answer", Encoding.UTF8.GetString(found.Entry!.Value.Body.Span));
        Assert.NotEqual(0, found.Version);
        Assert.Equal("0", await CountAsync("claims"));
        first.Claim.Release();
        Assert.NotNull((await ClaimAsync(there)).Entry);
    }

    [Fact]
    public async Task ReleasedClaim_GoesToOneOfThoseThatWait()
    {
        await using PostgresCache here = await OpenAsync(), there = await OpenAsync();
        CacheLookup first = await ClaimAsync(here);
        Task<CacheLookup>[] waiting = [.. Enumerable.Range(0, 5).Select(_ => there.WaitOrClaimAsync(s_key, Scope, cancellationToken: Ended).AsTask())];
        first.Claim!.Release();

        Task<CacheLookup> winner = await Task.WhenAny(waiting);

        Assert.NotNull((await winner).Claim);
        Assert.Equal("1", await CountAsync("claims"));
        await PutAsync(there, "answer");
        Assert.Equal(4, (await Task.WhenAll(waiting)).Count(found => found.Entry is not null));
    }

    [Fact]
    public async Task ClaimsOfOneMomentOnManyMachines_GoToOne()
    {
        PostgresCache[] caches = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OpenAsync()));
        RequestKey[] keys = [.. Enumerable.Range(0, 500).Select(i => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{i}}}")))];

        CacheLookup[][] found = await Task.WhenAll(caches.Select((cache, n) => Task.WhenAll(
            Enumerable.Range(0, keys.Length).Select(i => (i * 7 + n * 31) % keys.Length).Select(async i =>
                (Index: i, Found: await cache.GetOrClaimAsync(keys[i], Scope, cancellationToken: Ended)))))
            .Select(async lookups => (await lookups).OrderBy(lookup => lookup.Index).Select(lookup => lookup.Found).ToArray()));

        Assert.All(Enumerable.Range(0, keys.Length), i => Assert.Single(found, machine => machine[i].Claim is not null));
        foreach (PostgresCache cache in caches)
        {
            await cache.DisposeAsync();
        }

        Assert.Equal("0", await CountAsync("claims"));
    }

    [Fact]
    public async Task KilledMachine_DelaysOthersUntilItsClaimExpires()
    {
        var store = new ClusterStore(_database);
        await store.InitializeAsync(Ended);
        var killed = new PostgresCache(store, Soon());
        Assert.NotNull((await ClaimAsync(killed)).Claim);
        await store.DisposeAsync(); // its connections are gone, and it renews nothing
        await using PostgresCache here = await OpenAsync();
        long began = TimeProvider.System.GetTimestamp();

        CacheLookup found = await here.WaitOrClaimAsync(s_key, Scope, cancellationToken: Ended);

        Assert.NotNull(found.Claim);
        Assert.True(TimeProvider.System.GetElapsedTime(began) > TimeSpan.FromMilliseconds(500));
        await killed.CloseAsync(Ended);
    }

    [Fact]
    public async Task ClaimInUse_IsRenewed()
    {
        await using PostgresCache here = await OpenAsync(), there = await OpenAsync();
        CacheClaim claim = (await ClaimAsync(here)).Claim!;
        string first = await ScalarAsync("select expires from fastllm.claims");

        await UntilAsync("expires <> $1::timestamptz and expires > clock_timestamp() from fastllm.claims", first);
        await UntilAsync("clock_timestamp() > $1::timestamptz + interval '0.2 s' from fastllm.claims", first);

        Assert.True((await ClaimAsync(there)).IsTaken);
        Assert.False(claim.IsLost);
    }

    [Fact]
    public async Task FrozenMachine_ThatWakesLate_DoesNoHarm()
    {
        // A cache whose clock stands still renews nothing.
        var time = new TestKit.ManualTimeProvider();
        await using PostgresCache frozen = await OpenAsync(o => o.TimeProvider = time), here = await OpenAsync();
        CacheClaim claim = (await ClaimAsync(frozen)).Claim!;
        CacheClaim taken = (await here.WaitOrClaimAsync(s_key, Scope, cancellationToken: Ended)).Claim!;

        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(claim.IsLost);
        claim.Release();
        Assert.True((await ClaimAsync(frozen)).IsTaken);
        Assert.False(taken.IsLost);

        // It has sent its request before it was frozen: its answer is as good as the other.
        await PutAsync(frozen, "late");
        Assert.Equal("late", TextOf(await ClaimAsync(here)));
        await PutAsync(here, "theirs");
        Assert.Equal("theirs", TextOf(await ClaimAsync(frozen)));
        Assert.Equal("0", await CountAsync("claims"));
    }

    [Fact]
    public async Task ReplacedVersion_CountsAsMissing_UntilAnotherIsPut()
    {
        await using PostgresCache here = await OpenAsync(), there = await OpenAsync();
        await PutAsync(here, "old");
        CacheLookup old = await ClaimAsync(here);

        Assert.NotNull((await here.GetOrClaimAsync(s_key, Scope, old.Version, Ended)).Claim);
        Assert.True((await there.GetOrClaimAsync(s_key, Scope, old.Version, Ended)).IsTaken);
        Assert.Equal("old", TextOf(await ClaimAsync(there)));
        ValueTask<CacheLookup> waiting = there.WaitOrClaimAsync(s_key, Scope, old.Version, Ended);
        await PutAsync(here, "new");

        Assert.Equal("new", TextOf(await waiting));
        Assert.Equal("new", TextOf(await there.GetOrClaimAsync(s_key, Scope, old.Version, Ended)));
    }

    [Fact]
    public async Task RecordedAt_IsOfTheClockOfTheReader()
    {
        var time = new TestKit.ManualTimeProvider(new DateTimeOffset(2040, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await using PostgresCache here = await OpenAsync(), there = await OpenAsync(o => o.TimeProvider = time);
        await PutAsync(here, "answer");

        CacheLookup found = await ClaimAsync(there);

        Assert.InRange(found.RecordedAt, time.GetUtcNow() - TimeSpan.FromMinutes(1), time.GetUtcNow());
        Assert.Equal(DateTimeOffset.UnixEpoch, found.Entry!.Value.CreatedAt);
    }

    [Fact]
    public async Task Close_ReleasesClaims()
    {
        await using (PostgresCache here = await OpenAsync())
        {
            Assert.NotNull((await ClaimAsync(here)).Claim);
        }

        Assert.Equal("0", await CountAsync("claims"));
    }

    private static PostgresCacheOptions Soon() => new() { ClaimExpiry = TimeSpan.FromSeconds(1) };

    private static ValueTask<CacheLookup> ClaimAsync(PostgresCache cache) => cache.GetOrClaimAsync(s_key, Scope, cancellationToken: Ended);

    private static ValueTask PutAsync(PostgresCache cache, string text) =>
        cache.PutAsync(s_key, new CacheEntry(Encoding.UTF8.GetBytes(text), Scope, 200, DateTimeOffset.UnixEpoch), Ended);

    private static string TextOf(CacheLookup found) => Encoding.UTF8.GetString(found.Entry!.Value.Body.Span);

    private async Task<PostgresCache> OpenAsync(Action<PostgresCacheOptions>? change = null)
    {
        PostgresCacheOptions options = Soon();
        change?.Invoke(options);
        return await PostgresCache.OpenAsync(_database, options, Ended);
    }

    private Task<string> CountAsync(string table) => ScalarAsync($"select count(*)::text from fastllm.{table}");

    private async Task<string> ScalarAsync(string sql)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(_database);
        await using NpgsqlCommand command = source.CreateCommand(sql.Replace("select expires from", "select expires::text from", StringComparison.Ordinal));
        return (string)(await command.ExecuteScalarAsync(Ended))!;
    }

    // The database waits, not the test: a claim is renewed by a timer of the cache.
    private async Task UntilAsync(string condition, string value)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(_database);
        while (true)
        {
            await using NpgsqlCommand command = source.CreateCommand($"select (select {condition}) from pg_sleep(0.05)");
            command.Parameters.Add(new NpgsqlParameter { Value = value });
            if (await command.ExecuteScalarAsync(Ended) is true)
            {
                return;
            }
        }
    }
}
