using System.Buffers.Binary;
using System.Security.Cryptography;
using FastLLM.Cluster.Caching;
using Npgsql;
using NpgsqlTypes;

namespace FastLLM;

/// <summary>Stores responses in PostgreSQL, for any number of machines. Equal requests on different machines are sent once.</summary>
/// <remarks>
/// <para>An entry is committed before <see cref="PutAsync"/> completes, and so before the manager returns the response. Concurrent puts
/// share a transaction, and concurrent look-ups a round trip. Before a manager sends a request, it claims its key; other machines that want
/// the same answer wait for it. The claim of a machine that has died expires (<see cref="PostgresCacheOptions.ClaimExpiry"/>). Failures are
/// not shared.</para>
/// <para>While the database is away, look-ups and puts wait (<see cref="PostgresCacheOptions.MaxOutage"/>), so that nothing more is sent,
/// and responses stay in memory. Then they fail with an <see cref="IOException"/>.</para>
/// <para>Safe for concurrent use by any number of managers. Each entry carries a digest: a damaged entry is never returned. The cache holds
/// no prompts, but it holds responses as received.</para>
/// </remarks>
public sealed class PostgresCache : CacheProvider, IClaimingCache
{
    private const int MaxPuts = 1000;
    private const int MaxLookups = 1000;

    private readonly ClusterStore? _ownStore;
    private readonly PostgresCacheOptions _options;
    private readonly Outage _outage;
    private readonly HeldClaims _claims;
    private readonly Lane<PutItem> _puts;
    private readonly Lane<Lookup> _lookups;
    private readonly Lock _closing = new();
    private Task? _closed;
    private long _token = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
    private long _damaged;

    /// <summary>Creates a cache in a store whose tables exist (<see cref="ClusterStore.InitializeAsync"/>). The store stays open when the
    /// cache is closed.</summary>
    /// <param name="store">The store.</param>
    /// <param name="options">How to store entries; <see langword="null"/> for the defaults.</param>
    public PostgresCache(ClusterStore store, PostgresCacheOptions? options = null)
        : this(store, options, ownsStore: false)
    {
    }

    private PostgresCache(ClusterStore store, PostgresCacheOptions? options, bool ownsStore)
    {
        ArgumentNullException.ThrowIfNull(store);
        _ownStore = ownsStore ? store : null;
        _options = (options ?? new PostgresCacheOptions()).Copy();
        _outage = new Outage(store.Source, _options);
        _claims = new HeldClaims(_outage, _options, Release);
        _puts = new Lane<PutItem>(new AnswerWriter(_outage, _claims).ExecuteAsync, MaxPuts);
        _lookups = new Lane<Lookup>(new AnswerReader(_outage, _options).ExecuteAsync, MaxLookups);
    }

    /// <summary>Opens a cache, and creates its tables if they do not exist.</summary>
    /// <param name="connection">The connection string: an URL (<c>postgres://user@host/database</c>), or Npgsql's or libpq's
    /// <c>name=value</c> pairs. Without a password, <c>PGPASSWORD</c> and <c>~/.pgpass</c> are read.</param>
    /// <param name="options">How to store entries; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Stops the opening.</param>
    /// <exception cref="ArgumentException">The connection string cannot be read.</exception>
    /// <exception cref="InvalidDataException">The database was made by a newer version.</exception>
    /// <exception cref="IOException">The database cannot be reached.</exception>
    public static async Task<PostgresCache> OpenAsync(
        string connection, PostgresCacheOptions? options = null, CancellationToken cancellationToken = default)
    {
        var store = new ClusterStore(connection);
        try
        {
            await store.InitializeAsync(cancellationToken).ConfigureAwait(false);
            return new PostgresCache(store, options, ownsStore: true);
        }
        catch
        {
            await store.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public override async ValueTask<bool> ExistsAsync(
        RequestKey key, string? scope = null, CancellationToken cancellationToken = default) =>
        await GetAsync(key, scope, cancellationToken).ConfigureAwait(false) is not null;

    /// <inheritdoc/>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public override async ValueTask<CacheEntry?> GetAsync(
        RequestKey key, string? scope = null, CancellationToken cancellationToken = default)
    {
        var lookup = new Lookup(AnswerKey.Of(key, scope), LookupKind.Get);
        return (await ExecuteAsync(lookup, cancellationToken).ConfigureAwait(false)).Row is { } row ? Read(lookup.Key, row) : null;
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The entry is not stored: the database was away for too long, or has refused it.</exception>
    public override async ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entry.Scope, nameof(entry));
        ThrowIfClosed();
        AnswerKey id = AnswerKey.Of(key, entry.Scope);
        var put = new PutItem(id, AnswerRow.Of(id, entry));
        await _puts.AddAsync(put).ConfigureAwait(false);
        await put.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public ValueTask<CacheLookup> GetOrClaimAsync(
        RequestKey key, string scope, long replaced = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scope);
        return GetOrClaimAsync(AnswerKey.Of(key, scope), replaced, isRepeated: false, cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public async ValueTask<CacheLookup> WaitOrClaimAsync(
        RequestKey key, string scope, long replaced = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scope);
        TimeProvider time = _options.TimeProvider;
        long began = time.GetTimestamp();
        while (true)
        {
            await Task.Delay(WaitSteps.After(time.GetElapsedTime(began)), time, cancellationToken).ConfigureAwait(false);
            CacheLookup found = await GetOrClaimAsync(
                AnswerKey.Of(key, scope), replaced, isRepeated: true, cancellationToken).ConfigureAwait(false);
            if (!found.IsTaken)
            {
                return found;
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>Claims stay: what is being sent is put afterwards.</remarks>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public override async ValueTask ClearAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        var clear = new PutItem(default, row: null);
        await _puts.AddAsync(clear).ConfigureAwait(false);
        await clear.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes the entries that were received longer ago than <paramref name="olderThan"/>; without it, those older than
    /// <see cref="PostgresCacheOptions.Ttl"/>.</summary>
    /// <param name="olderThan">The age.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    /// <returns>The number of removed entries.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="olderThan"/> is negative.</exception>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public async Task<long> PruneAsync(TimeSpan? olderThan = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(olderThan ?? TimeSpan.Zero, TimeSpan.Zero, nameof(olderThan));
        ThrowIfClosed();
        if ((olderThan ?? _options.Ttl) is not { } age)
        {
            return 0;
        }

        long before = (_options.TimeProvider.GetUtcNow() - age).ToUnixTimeMilliseconds();
        long removed = 0;
        for (int last = 1; last > 0; removed += last)
        {
            last = await _outage.RunAsync(connection => RemoveAsync(connection, before)).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return removed;
    }

    /// <inheritdoc/>
    public override ValueTask CloseAsync(CancellationToken cancellationToken = default)
    {
        lock (_closing)
        {
            _closed ??= Task.Run(CloseAllAsync, CancellationToken.None);
        }

        return new ValueTask(_closed.WaitAsync(cancellationToken));
    }

    private async ValueTask<CacheLookup> GetOrClaimAsync(
        AnswerKey key, long replaced, bool isRepeated, CancellationToken cancellationToken)
    {
        while (true)
        {
            var lookup = new Lookup(key, LookupKind.Claim) { Replaced = replaced, Token = NextToken(), IsRepeated = isRepeated };
            LookupResult found = await ExecuteAsync(lookup, cancellationToken).ConfigureAwait(false);
            HeldClaim? claim = found.ClaimedSince is { } since ? _claims.Add(key, lookup.Token, since) : null;
            if (found.Row is not { } row)
            {
                return new CacheLookup(null, claim);
            }

            claim?.Release();
            if (Read(key, row) is { } entry)
            {
                return new CacheLookup(entry, null) { Version = row.Stored.Ticks, RecordedAt = row.RecordedAt };
            }

            replaced = row.Stored.Ticks; // damaged
        }
    }

    private async Task CloseAllAsync()
    {
        await _puts.CloseAsync().ConfigureAwait(false);
        _claims.ReleaseAll();
        await _lookups.CloseAsync().ConfigureAwait(false);
        _claims.Dispose();
        if (_ownStore is not null)
        {
            await _ownStore.DisposeAsync().ConfigureAwait(false);
        }
    }

    // In steps: each is over long before its timeout.
    private static async Task<int> RemoveAsync(NpgsqlConnection connection, long before)
    {
        const string prune = """
            delete from fastllm.answers where ctid = any (array (select ctid from fastllm.answers where created < $1 limit 10000))
            """;
        await using NpgsqlCommand command = new(prune, connection);
        command.Parameters.With(before, NpgsqlDbType.Bigint);
        return await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    private async ValueTask<LookupResult> ExecuteAsync(Lookup lookup, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        cancellationToken.ThrowIfCancellationRequested();
        await _lookups.AddAsync(lookup).ConfigureAwait(false);
        if (!cancellationToken.CanBeCanceled)
        {
            return await lookup.Task.ConfigureAwait(false);
        }

        try
        {
            return await lookup.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (lookup.Token != 0)
        {
            _ = ReleaseLaterAsync(lookup);
            throw;
        }
    }

    // The caller has left, but the claim may be made all the same.
    private async Task ReleaseLaterAsync(Lookup lookup)
    {
        await ((Task)lookup.Task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (lookup.Task is { IsCompletedSuccessfully: true, Result.ClaimedSince: { } since })
        {
            _claims.Add(lookup.Key, lookup.Token, since).Release();
        }
    }

    private void Release(HeldClaim claim)
    {
        try
        {
            ValueTask adding = _lookups.AddAsync(new Lookup(claim.Key, LookupKind.Release) { Token = claim.Token });
            System.Diagnostics.Debug.Assert(adding.IsCompleted, "Look-ups have no size, so there is always room for them.");
        }
        catch (ObjectDisposedException)
        {
            // It expires.
        }
    }

    private CacheEntry? Read(AnswerKey key, AnswerRow row)
    {
        if (row.ToEntry(key) is { } entry)
        {
            return entry;
        }

        if (Interlocked.Increment(ref _damaged) == 1)
        {
            _options.OnNotice?.Invoke(
                $"The response to {key.Request} in the database is damaged and counts as missing. Check the disks of the database.");
        }

        return null;
    }

    private long NextToken() => Interlocked.Increment(ref _token) is not 0 and var token ? token : NextToken();

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(_closed is not null, this);
}
