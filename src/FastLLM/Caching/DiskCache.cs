using FastLLM.Caching;

namespace FastLLM;

/// <summary>Stores responses in a folder, for this and all other processes of the machine, now and later.</summary>
/// <remarks>
/// <para>An entry is on the disk before <see cref="PutAsync"/> completes, and so before the manager returns the response: a process that is
/// killed loses no response that its caller has seen (for power loss, see <see cref="DiskCacheOptions.Durability"/>). Concurrent puts share
/// a commit; a put waits a few milliseconds at most.</para>
/// <para>Safe for concurrent use by any number of managers and processes of one machine. Each entry carries a digest: a damaged entry is
/// never returned. A damaged database is set aside when it is opened, and its entries are recovered one by one
/// (<see cref="DiskCacheOptions.OnNotice"/> reports it).</para>
/// <para>When the disk is full or the folder disappears, stored entries are still found. For a missing entry, <see cref="GetAsync"/>
/// throws, so that nothing is paid for that could not be stored.</para>
/// <para>The cache holds no prompts, but it holds responses as received: only the owner can read the folder and its files.</para>
/// </remarks>
public sealed class DiskCache : CacheProvider
{
    private readonly CacheFolder _folder;
    private readonly DiskCacheOptions _options;
    private readonly CacheSession _session;
    private readonly Lock _closing = new();
    private Task? _closed;
    private long _damaged;

    /// <summary>Opens the cache of a folder, or creates it.</summary>
    /// <remarks>
    /// Blocks while the database is checked. Usually the check takes no time; it reads the whole database if another program has changed
    /// it.
    /// </remarks>
    /// <param name="directory">The folder.</param>
    /// <param name="options">How to store entries; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">The folder's name is empty.</exception>
    /// <exception cref="IOException">
    /// The folder cannot be created or written to, is on a network file system, or holds a cache of a newer release.
    /// </exception>
    public DiskCache(string directory, DiskCacheOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        _options = (options ?? new DiskCacheOptions()).Copy();
        _folder = new CacheFolder(directory);
        _folder.Create(_options.AllowNetworkFileSystem);
        try
        {
            _session = CacheSession.Open(_folder, _options);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or SqliteFault)
        {
            throw new IOException(
                $"The cache in {_folder.Path} cannot be opened: {e.Message} Make the folder writable, or choose another.", e);
        }
    }

    /// <summary>
    /// Gets the default folder: <c>fastllm</c> in the user's cache folder (<c>XDG_CACHE_HOME</c> or <c>~/.cache</c>;
    /// <c>~/Library/Caches</c> on macOS; the local application data on Windows).
    /// </summary>
    public static string DefaultDirectory
    {
        get
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            string caches = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches")
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } named && Path.IsPathFullyQualified(named) ? named
                : Path.Combine(home, ".cache");
            return Path.Combine(caches, "fastllm");
        }
    }

    /// <summary>Gets the version of SQLite that is in use.</summary>
    public static string SqliteVersion => CacheDatabase.SqliteVersion;

    /// <summary>Gets the folder, as a full path.</summary>
    public string Folder => _folder.Path;

    /// <summary>
    /// Gets a description of the repair that was made when the cache was opened; <see langword="null"/> if none was needed.
    /// </summary>
    public string? Repair => _session.Repair;

    /// <summary>Returns whether a folder holds a cache, intact or damaged.</summary>
    /// <param name="directory">The folder.</param>
    public static bool ExistsIn(string directory)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        var folder = new CacheFolder(directory);
        return File.Exists(folder.Database) || File.Exists(folder.Log) || File.Exists(folder.Repaired);
    }

    /// <inheritdoc/>
    public override ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) =>
        new(Find(key, scope) is not null);

    /// <inheritdoc/>
    /// <exception cref="IOException">The entry is missing and a new one could not be stored; or the database cannot be read.</exception>
    public override ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default)
    {
        CacheEntry? entry = Find(key, scope);
        return entry is null && _session.Writer.Fault is { } fault ? throw new IOException(fault.Message, fault)
            : new ValueTask<CacheEntry?>(entry);
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">
    /// The entry is not stored, for example because the disk is full. It is tried once more when the cache is closed.
    /// </exception>
    public override ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entry.Scope, nameof(entry));
        ThrowIfClosed();
        return new ValueTask(Cancellable(_session.Writer.PutAsync(CachePut.Of(key, entry)), cancellationToken));
    }

    /// <inheritdoc/>
    public override ValueTask ClearAsync(CancellationToken cancellationToken = default) =>
        new(ChangeAsync(CacheUpkeep.Clear, cancellationToken));

    /// <inheritdoc/>
    public override ValueTask CloseAsync(CancellationToken cancellationToken = default)
    {
        lock (_closing)
        {
            _closed ??= Task.Run(_session.Dispose, CancellationToken.None);
        }

        return new ValueTask(Cancellable(_closed, cancellationToken));
    }

    /// <summary>Counts the entries of the cache.</summary>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public Task<DiskCacheStats> GetStatsAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        return Task.Run(() => CacheInspection.Count(_folder, _session.Writer.Evicted, Interlocked.Read(ref _damaged)), cancellationToken);
    }

    /// <summary>Checks every entry and the structure of the database. The cache can be used meanwhile.</summary>
    /// <param name="cancellationToken">Stops the check.</param>
    public Task<DiskCacheVerification> VerifyAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        return Task.Run(() => CacheInspection.Verify(_folder, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// Removes the entries that match all given conditions; without conditions, those older than <see cref="DiskCacheOptions.Ttl"/>. The
    /// space is returned to the disk.
    /// </summary>
    /// <param name="olderThan">Only entries received longer ago than this.</param>
    /// <param name="scope">Only entries of this endpoint.</param>
    /// <param name="model">Only entries of this model.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    /// <returns>The number of removed entries.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="olderThan"/> is negative.</exception>
    public async Task<long> PruneAsync(TimeSpan? olderThan = null, string? scope = null, string? model = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(olderThan ?? TimeSpan.Zero, TimeSpan.Zero, nameof(olderThan));
        ThrowIfClosed();
        TimeSpan? age = olderThan ?? (scope is null && model is null ? _options.Ttl : null);
        if (age is null && scope is null && model is null)
        {
            return 0;
        }

        DateTimeOffset? before = age is { } a ? Ago(a) : null;
        long removed = 0;
        await ChangeAsync(database => removed = CacheUpkeep.Prune(database, before, scope, model), cancellationToken).ConfigureAwait(false);
        return removed;
    }

    /// <summary>Removes the oldest entries until the database takes no more than <paramref name="mostBytes"/>.</summary>
    /// <param name="mostBytes">The maximum size of the database in bytes.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    /// <returns>The number of removed entries.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="mostBytes"/> is negative.</exception>
    public async Task<long> ShrinkAsync(long mostBytes, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mostBytes);
        long removed = 0;
        await ChangeAsync(
            database =>
            {
                removed = CacheUpkeep.DropOldest(database, mostBytes);
                CacheUpkeep.Compact(database);
            },
            cancellationToken).ConfigureAwait(false);
        return removed;
    }

    /// <summary>Reads all intact entries, oldest first.</summary>
    /// <param name="cancellationToken">Stops the reading.</param>
    public IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> ReadAllAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        return CacheExport.ReadAllAsync(_folder, cancellationToken);
    }

    /// <summary>Writes all intact entries as lines of JSON, oldest first.</summary>
    /// <param name="output">The stream to write to; it stays open.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <returns>The number of written entries.</returns>
    public Task<long> ExportAsync(Stream output, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(output);
        ThrowIfClosed();
        return CacheExport.WriteAsync(_folder, output, cancellationToken);
    }

    /// <summary>Adds entries. Of two entries with the same key and scope, the newer one is kept.</summary>
    /// <param name="entries">The entries.</param>
    /// <param name="cancellationToken">Stops the import; entries that were added stay.</param>
    /// <returns>The number of entries read.</returns>
    public Task<long> ImportAsync(IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> entries,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ThrowIfClosed();
        return CacheImport.AddAsync(_session.Writer, entries, cancellationToken);
    }

    /// <summary>
    /// Adds the entries that <see cref="ExportAsync"/> wrote. Of two entries with the same key and scope, the newer one is kept.
    /// </summary>
    /// <remarks>The cache returns responses exactly as the file holds them: import only files that you trust.</remarks>
    /// <param name="input">The stream to read.</param>
    /// <param name="cancellationToken">Stops the import; entries that were added stay.</param>
    /// <returns>The number of entries read.</returns>
    /// <exception cref="FormatException">A line is not an entry; the message names the line. The entries before it were added.</exception>
    public Task<long> ImportAsync(Stream input, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(input);
        return ImportAsync(CacheImport.ReadLinesAsync(input, cancellationToken), cancellationToken);
    }

    /// <summary>Lets the database grow again, as if the disk had space again.</summary>
    internal void MakeRoomForTests() =>
        _session.Writer.DoAsync(static database => database.Execute("PRAGMA max_page_count=1000000")).GetAwaiter().GetResult();

    private static Task Cancellable(Task task, CancellationToken cancellationToken) =>
        cancellationToken.CanBeCanceled && !task.IsCompleted ? task.WaitAsync(cancellationToken) : task;

    private Task ChangeAsync(Action<CacheDatabase> change, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        return Cancellable(_session.Writer.DoAsync(change), cancellationToken);
    }

    private CacheEntry? Find(RequestKey key, string? scope)
    {
        ThrowIfClosed();
        try
        {
            long oldest = _options.Ttl is { } ttl ? Ago(ttl).ToUnixTimeMilliseconds() : 0;
            CacheEntry? entry = _session.Readers.Find(key, scope, oldest, out bool isDamaged);
            if (isDamaged)
            {
                CountDamage(key);
            }

            return entry;
        }
        catch (SqliteFault e)
        {
            if (e.IsDamage)
            {
                _folder.RemoveCleanMarker();
            }

            throw new IOException(
                $"The cache in {_folder.Path} cannot be read: {e.Message}. It is checked and repaired when it is opened next.", e);
        }
    }

    // Times are stored in milliseconds since 1970.
    private DateTimeOffset Ago(TimeSpan age)
    {
        DateTimeOffset now = _options.TimeProvider.GetUtcNow();
        return now - DateTimeOffset.UnixEpoch <= age ? DateTimeOffset.UnixEpoch : now - age;
    }

    private void CountDamage(RequestKey key)
    {
        _folder.RemoveCleanMarker();
        if (Interlocked.Increment(ref _damaged) == 1)
        {
            _options.OnNotice?.Invoke(
                $"The response to {key} in the cache {_folder.Path} is damaged and counts as missing. "
                + $"The cache is checked when it is opened next.");
        }
    }

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(_closed is not null, this);
}
