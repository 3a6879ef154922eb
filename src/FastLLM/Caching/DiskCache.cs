using FastLLM.Caching;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;

namespace FastLLM;

/// <summary>Keeps responses in a folder, for this process and all others, now and later.</summary>
/// <remarks>
/// <para>An answer is on the disk before <see cref="PutAsync"/> completes, and so before the manager hands it out: a process that is
/// killed loses none that anybody has seen (see <see cref="DiskCacheOptions.Durability"/> for power loss). Puts share their commits;
/// one waits a few milliseconds at most.</para>
/// <para>Safe for concurrent use, by any number of managers and processes of one machine. Entries carry a digest: a damaged one is
/// never handed out, and a damaged database is set aside and saved entry by entry when it is opened (<see cref="DiskCacheOptions.OnNotice"/> says so).</para>
/// <para>When the disk is full or the folder goes away, answers that are there are still found; what is not there makes
/// <see cref="GetAsync"/> throw, so that nothing more is paid for that could not be kept.</para>
/// <para>Prompts are not in it, but answers are, as they came: the folder and its files are readable by their owner only.</para>
/// </remarks>
public sealed partial class DiskCache : CacheProvider
{
    private readonly CacheFolder _folder;
    private readonly DiskCacheOptions _options;
    private readonly IDisposable _use;
    private readonly CacheReaders _readers;
    private readonly CacheWriter _writer;
    private readonly Lock _closing = new();
    private Task? _closed;
    private long _damaged;

    /// <summary>Opens the cache of a folder; makes it where there is none.</summary>
    /// <remarks>Blocks while the database is looked at: not at all as a rule, for as long as reading it takes where somebody else has touched it.</remarks>
    /// <param name="directory">The folder.</param>
    /// <param name="options">How to keep answers; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">The folder's name is empty.</exception>
    /// <exception cref="IOException">The folder cannot be made or written to, is on a network file system, or holds a cache of a newer release.</exception>
    public DiskCache(string directory, DiskCacheOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        _options = (options ?? new DiskCacheOptions()).Copy();
        _folder = new CacheFolder(directory);
        _folder.Create(_options.AllowNetworkFileSystem);
        try
        {
            try
            {
                (_use, _writer, _readers) = Open();
            }
            catch (SqliteFault e) when (e.IsDamage)
            {
                // The disk has changed what nobody has touched: with the seal broken it is looked through, and saved.
                _folder.RemoveCleanMarker();
                (_use, _writer, _readers) = Open();
            }
        }
        catch (Exception e) when (e is UnauthorizedAccessException or SqliteFault)
        {
            throw CannotOpen(e);
        }
    }

    /// <summary>Gets the folder that is used where nobody names one: <c>fastllm</c> in the user's folder for caches (<c>XDG_CACHE_HOME</c> or <c>~/.cache</c>; <c>~/Library/Caches</c> on macOS; the local application data on Windows).</summary>
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

    /// <summary>Gets the folder, as a full path.</summary>
    public string Folder => _folder.Path;

    /// <summary>Gets what had to be mended when the cache was opened, in words; <see langword="null"/> where nothing had to be.</summary>
    public string? Repair { get; private set; }

    /// <summary>Gets the version of SQLite that is in use.</summary>
    public static string SqliteVersion => CacheDatabase.SqliteVersion;

    /// <summary>Tells whether a folder holds a cache, sound or not.</summary>
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
    /// <exception cref="IOException">The entry is not there, and could not be kept if it were asked for; or the database cannot be read.</exception>
    public override ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default)
    {
        CacheEntry? entry = Find(key, scope);
        return entry is null && _writer.Fault is { } fault ? throw new IOException(fault.Message, fault) : new ValueTask<CacheEntry?>(entry);
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The entry is not kept: the disk is full, the folder is gone … It is tried once more when the cache is closed.</exception>
    public override ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entry.Scope, nameof(entry));
        ThrowIfClosed();
        var bytes = new byte[RequestKey.Size];
        key.CopyTo(bytes);
        byte[] scope = EntryDigest.Utf8(entry.Scope);
        byte[] model = EntryDigest.Utf8(entry.Model);
        var put = new CacheWriter.Put(
            bytes, scope, entry.StatusCode, model, entry.CreatedAt.ToUnixTimeMilliseconds(), EntryDigest.Compute(bytes, scope, model, entry), entry.Body);
        return new ValueTask(Cancellable(_writer.PutAsync(put), cancellationToken));
    }

    /// <inheritdoc/>
    public override ValueTask ClearAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        return new ValueTask(Cancellable(_writer.DoAsync(static database => CacheUpkeep.Clear(database)), cancellationToken));
    }

    /// <inheritdoc/>
    public override ValueTask CloseAsync(CancellationToken cancellationToken = default)
    {
        lock (_closing)
        {
            _closed ??= Task.Run(
                () =>
                {
                    // Readers first: the log is emptied when nobody reads it.
                    _readers.Dispose();
                    _writer.Close();
                    _use.Dispose();
                },
                CancellationToken.None);
        }

        return new ValueTask(Cancellable(_closed, cancellationToken));
    }

    /// <summary>Lets the database grow again: somebody made room.</summary>
    internal void MakeRoomForTests() =>
        _writer.DoAsync(static database => database.Execute("PRAGMA max_page_count=1000000")).GetAwaiter().GetResult();

    private static Task Cancellable(Task task, CancellationToken cancellationToken) =>
        cancellationToken.CanBeCanceled && !task.IsCompleted ? task.WaitAsync(cancellationToken) : task;

    private (IDisposable Use, CacheWriter Writer, CacheReaders Readers) Open()
    {
        CheckIfAlone();
        IDisposable use = FolderLock.Share(_folder.UseLock, _options.OnNotice);
        CacheWriter? writer = null;
        try
        {
            using (FolderLock.Take(_folder.WriteLock, _options.OnNotice))
            {
                writer = new CacheWriter(_folder, _options);
            }

            return (use, writer, new CacheReaders(_folder.Database));
        }
        catch
        {
            writer?.Close();
            use.Dispose();
            throw;
        }
    }

    // Whoever comes first looks whether the database is sound; the others wait for that.
    private void CheckIfAlone()
    {
        byte[] identity = System.Security.Cryptography.RandomNumberGenerator.GetHexString(32, lowercase: true).Select(c => (byte)c).ToArray();
        if (FolderLock.TryTake(_folder.UseLock, identity) is { } alone)
        {
            using (alone)
            using (FolderLock.Take(_folder.WriteLock, _options.OnNotice))
            {
                Repair = CacheRepair.MakeSound(_folder, _options.TimeProvider);
                if (Repair is not null)
                {
                    _options.OnNotice?.Invoke(Repair);
                }
            }
        }
    }

    private CacheEntry? Find(RequestKey key, string? scope)
    {
        ThrowIfClosed();
        try
        {
            CacheEntry? entry = _readers.Find(key, scope, Oldest(), out bool isDamaged);
            if (isDamaged)
            {
                MetDamage(key);
            }

            return entry;
        }
        catch (SqliteFault e)
        {
            if (e.IsDamage)
            {
                _folder.RemoveCleanMarker();
            }

            throw new IOException($"The cache in {_folder.Path} cannot be read: {e.Message}. It is looked through, and saved as far as it goes, when it is opened next.", e);
        }
    }

    private long Oldest() => _options.Ttl is { } ttl ? Ago(ttl).ToUnixTimeMilliseconds() : 0;

    // No answer is older than the times that are counted in milliseconds.
    private DateTimeOffset Ago(TimeSpan age)
    {
        DateTimeOffset now = _options.TimeProvider.GetUtcNow();
        return now - DateTimeOffset.UnixEpoch <= age ? DateTimeOffset.UnixEpoch : now - age;
    }

    private void MetDamage(RequestKey key)
    {
        _folder.RemoveCleanMarker();
        if (Interlocked.Increment(ref _damaged) == 1)
        {
            _options.OnNotice?.Invoke($"The answer to {key} in the cache {_folder.Path} is damaged; it counts as not there. The cache is looked through when it is opened next.");
        }
    }

    private IOException CannotOpen(Exception e) =>
        new($"The cache in {_folder.Path} cannot be opened: {e.Message} Make the folder writable, or choose another.", e);

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(_closed is not null, this);
}
