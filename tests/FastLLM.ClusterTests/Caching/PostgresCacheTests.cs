using System.Globalization;
using FastLLM.TestKit;
using FastLLM.TestKit.Servers;
using Npgsql;
using Xunit;

namespace FastLLM.ClusterTests.Caching;

/// <summary>The cache in PostgreSQL keeps what every cache promises, and more.</summary>
public sealed class PostgresCacheTests(SharedServers servers) : CacheConformance
{
    private const string Here = "https://here.example/v1";

    private readonly List<string> _notices = [];

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Entry_IsThereForOtherMachines_AndLater()
    {
        string database = await servers.CreateDatabaseAsync();
        await using (PostgresCache first = await PostgresCache.OpenAsync(database, cancellationToken: Ended))
        await using (PostgresCache second = await PostgresCache.OpenAsync(database, cancellationToken: Ended))
        {
            await first.PutAsync(Key(1), Entry("x", Here) with { Model = "m\0\uD800" }, Ended);
            Assert.NotNull(await second.GetAsync(Key(1), Here, Ended));
        }

        await using PostgresCache later = await PostgresCache.OpenAsync(database, cancellationToken: Ended);
        Assert.Equal("m\uFFFD\uFFFD", (await later.GetAsync(Key(1), Here, Ended))!.Value.Model);
    }

    [Theory]
    [InlineData("body = overlay(body placing '\\x58' from 10)")]
    [InlineData("body = ''")]
    [InlineData("status = 201")]
    [InlineData("created = created + 1")]
    [InlineData("created = -9223372036854775808")]
    [InlineData("model = 'other'")]
    [InlineData("endpoint = endpoint || '\\x00'")]
    [InlineData("digest = ''")]
    [InlineData("key = (select key from fastllm.answers where status = 203)")]
    public async Task DamagedRow_IsAMissThatIsReported(string damage)
    {
        string database = await servers.CreateDatabaseAsync();
        await using PostgresCache cache = await OpenAsync(database);
        await cache.PutAsync(Key(1), Entry(new string('a', 5000), Here), Ended);
        await cache.PutAsync(Key(2), Entry("two", Here, 203), Ended);
        RequestKey key = damage.StartsWith("key", StringComparison.Ordinal) ? Key(2) : Key(1);
        if (key == Key(2))
        {
            await ExecuteAsync(database, "create temp table two as select * from fastllm.answers where status = 203;"
                + "delete from fastllm.answers where status = 203; update fastllm.answers set key = (select key from two)");
        }
        else
        {
            await ExecuteAsync(database, $"update fastllm.answers set {damage} where status = 200");
        }

        Assert.Null(await cache.GetAsync(key, Here, Ended));
        Assert.Contains("is damaged and counts as missing", Assert.Single(_notices), StringComparison.Ordinal);

        CacheLookup found = await cache.GetOrClaimAsync(key, Here, cancellationToken: Ended);
        Assert.NotNull(found.Claim);
        await cache.PutAsync(key, Entry("new", Here), Ended);
        Assert.Equal(3, (await cache.GetAsync(key, Here, Ended))!.Value.Body.Length);
        Assert.Single(_notices);
    }

    [Fact]
    public async Task LargeBodies_ComeBackUnchanged()
    {
        await using CacheProvider cache = await CreateAsync();
        var random = new byte[30_000_000];
        new Random(1).NextBytes(random);
        byte[][] bodies = [random, new byte[50_000_000]];
        await Task.WhenAll(bodies.Select((body, i) => cache.PutAsync(Key(i), new CacheEntry(body, Here, 200, DateTimeOffset.UnixEpoch), Ended).AsTask()));

        for (var i = 0; i < bodies.Length; i++)
        {
            Assert.True((await cache.GetAsync(Key(i), Here, Ended))!.Value.Body.Span.SequenceEqual(bodies[i]));
        }
    }

    [Fact]
    public async Task EntryOlderThanItsTtl_IsNotFound_AndIsPruned()
    {
        string database = await servers.CreateDatabaseAsync();
        var time = new ManualTimeProvider();
        await using PostgresCache cache = await OpenAsync(database, o => (o.Ttl, o.TimeProvider) = (TimeSpan.FromDays(1), time));
        foreach (int age in (int[])[0, 2])
        {
            await cache.PutAsync(Key(age), new CacheEntry(new byte[5], Here, 200, time.GetUtcNow() - TimeSpan.FromDays(age)), Ended);
        }

        Assert.True(await cache.ExistsAsync(Key(0), Here, Ended));
        Assert.False(await cache.ExistsAsync(Key(2), Here, Ended));
        Assert.NotNull((await cache.GetOrClaimAsync(Key(2), Here, cancellationToken: Ended)).Claim);
        Assert.Equal(1, await cache.PruneAsync(cancellationToken: Ended));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, await cache.PruneAsync(TimeSpan.Zero, Ended));
        Assert.Equal("0", await ExecuteAsync(database, "select count(*) from fastllm.answers"));
    }

    [Fact]
    public async Task CanceledLookup_ReleasesTheClaimThatItMade()
    {
        string database = await servers.CreateDatabaseAsync();
        var faults = new HeldCommands();
        await using PostgresCache cache = await OpenAsync(database, o => o.Faults = faults);
        using var cancel = new CancellationTokenSource();
        Task lookup = cache.GetOrClaimAsync(Key(1), Here, cancellationToken: cancel.Token).AsTask();
        await faults.Executed.WaitForAsync(1, Ended);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lookup);
        faults.Release();

        CacheLookup found = await cache.WaitOrClaimAsync(Key(1), Here, cancellationToken: Ended);

        Assert.NotNull(found.Claim);
    }

    protected override async ValueTask<CacheProvider> CreateAsync() => await OpenAsync(await servers.CreateDatabaseAsync());

    private static async Task<string> ExecuteAsync(string database, string sql)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        await using NpgsqlCommand command = source.CreateCommand(sql);
        return Convert.ToString(await command.ExecuteScalarAsync(Ended), CultureInfo.InvariantCulture) ?? "";
    }

    private async Task<PostgresCache> OpenAsync(string database, Action<PostgresCacheOptions>? change = null)
    {
        var options = new PostgresCacheOptions { OnNotice = _notices.Add };
        change?.Invoke(options);
        return await PostgresCache.OpenAsync(database, options, Ended);
    }
}
