using FastLLM.Diagnostics;
using FastLLM.Pipeline;

namespace FastLLM.Caching;

/// <summary>The one thread that writes: what comes while it commits goes into the next commit together, so that a flush to the disk is shared by all of them.</summary>
/// <remarks>
/// Every transaction and every checkpoint of any process runs under the folder's write lock. SQLite 3.50.4 can damage a database where two
/// connections write or check-point at once (the WAL-reset bug, sqlite.org/wal.html), and processes wait for each other without errors.
/// </remarks>
internal sealed class CacheWriter
{
    /// <summary>How long answers may wait for others to share their commit.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMilliseconds(5);

    private const int MaxInCommit = 500;
    private const int BusyFrom = 16;
    private const long MaxBytesInCommit = 8L << 20;
    private const long MaxUnwritten = 64L << 20;
    private const long CheckpointFrom = 64L << 20;

    private const string Insert =
        $"INSERT OR REPLACE INTO answers({CacheDatabase.Columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    private readonly CacheFolder _folder;
    private readonly DiskCacheOptions _options;
    private readonly CacheDatabase _database;
    private readonly Statement _begin;
    private readonly Statement _insert;
    private readonly Statement _commit;
    private readonly string? _identity;
    private readonly Thread _thread;
    private readonly object _gate = new();
    private readonly List<Put> _unwritten = [];
    private Commit _next = new();
    private long _unwrittenBytes;
    private bool _isBusy;
    private bool _isClosing;
    private volatile IOException? _fault;

    /// <summary>Creates the writer. For the holder of the write lock.</summary>
    public CacheWriter(CacheFolder folder, DiskCacheOptions options)
    {
        _folder = folder;
        _options = options;
        _database = CacheDatabase.OpenToWrite(folder.Database, options.Durability, options.MaxPages);
        try
        {
            _begin = _database.Prepare("BEGIN IMMEDIATE");
            _insert = _database.Prepare(Insert);
            _commit = _database.Prepare("COMMIT");
            _identity = folder.Identity();
            _fault = folder.TryHoldReserve() ? null : Full();
        }
        catch
        {
            _database.Dispose();
            throw;
        }

        _thread = new Thread(Work) { IsBackground = true, Name = "FastLLM cache" };
        using (ExecutionContext.SuppressFlow())
        {
            _thread.Start();
        }
    }

    /// <summary>Why nothing more can be kept; then nothing more is to be paid for.</summary>
    public IOException? Fault => _fault;

    /// <summary>How many entries the size limit has driven out.</summary>
    public long Evicted { get; private set; }

    /// <summary>Keeps an entry; completed means committed.</summary>
    public Task PutAsync(in Put put)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosing, typeof(DiskCache));
            _next.Puts.Add(put);
            _next.Bytes += put.Body.Length;
            if (_next.Puts.Count == 1 || _next.IsLarge)
            {
                Monitor.Pulse(_gate);
            }

            return _next.Done.Task;
        }
    }

    /// <summary>Does something else to the database, when all that came before is committed.</summary>
    public Task DoAsync(Action<CacheDatabase> job)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosing, typeof(DiskCache));
            _next.Jobs.Add(job);
            Monitor.Pulse(_gate);
            return _next.JobsDone.Task;
        }
    }

    /// <summary>Commits what there is, empties the log if nobody reads it, and ends. Blocks until that is done.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosing = true;
            Monitor.Pulse(_gate);
        }

        _thread.Join();
    }

    private void Work()
    {
        while (Take() is { } commit)
        {
            try
            {
                using (FolderLock.Take(_folder.WriteLock, _options.OnNotice))
                {
                    MustBeThere();
                    Write(commit.Puts);
                    commit.Done.SetResult();
                    Tidy();
                    Do(commit);
                }
            }
            catch (Exception e)
            {
                commit.Done.TrySetException(_fault ??= Unwritable(e));
                commit.JobsDone.TrySetException(_fault);
            }
        }

        End();
    }

    private void Do(Commit commit)
    {
        try
        {
            commit.Jobs.ForEach(job => job(_database));
            commit.JobsDone.SetResult();
        }
        catch (Exception e)
        {
            commit.JobsDone.SetException(e as IOException ?? new IOException(e.Message, e));
        }
    }

    private Commit? Take()
    {
        lock (_gate)
        {
            while (_next.IsEmpty && !_isClosing)
            {
                Monitor.Wait(_gate);
            }

            // Where much is going on, a little patience makes few large commits of many small ones.
            if (_isBusy && !_isClosing && !_next.IsLarge && _next.Jobs.Count == 0)
            {
                Monitor.Wait(_gate, Window);
            }

            Commit commit = _next;
            if (commit.IsEmpty)
            {
                return null;
            }

            _isBusy = commit.Puts.Count >= BusyFrom;
            _next = new Commit();
            return commit;
        }
    }

    private void Write(List<Put> puts)
    {
        if (puts.Count == 0)
        {
            return;
        }

        try
        {
            TryWrite(puts);
        }
        catch (SqliteFault e) when (e.IsFull)
        {
            // What was held back is for answers that are paid for already. Nothing more is sent from here on.
            _fault ??= Full();
            if (!_folder.ReleaseReserve())
            {
                Remember(puts);
                throw _fault;
            }

            try
            {
                TryWrite(puts);
            }
            catch (SqliteFault)
            {
                Remember(puts);
                throw _fault;
            }
        }
    }

    private void TryWrite(List<Put> puts)
    {
        _begin.Run();
        try
        {
            int half = puts.Count / 2;
            foreach (Put put in puts)
            {
                if (half-- == 0)
                {
                    KillPoint.Reached(KillPoint.MidCommitBatch);
                }

                _insert.Bind(1, put.Key).BindText(2, put.Scope).Bind(3, put.Status).BindText(4, put.Model)
                    .Bind(5, put.Created).Bind(6, put.Digest).Bind(7, put.Body.Span).Run();
            }

            _commit.Run();
        }
        catch
        {
            _database.TryRollBack();
            throw;
        }
    }

    // A folder that was taken away can be written to all the same, and all is gone with the process.
    private void MustBeThere()
    {
        if (!File.Exists(_folder.Database) || _folder.Identity() != _identity)
        {
            throw new IOException("it was removed while it was in use");
        }
    }

    private void Tidy()
    {
        try
        {
            if (_options.SizeLimit is { } limit)
            {
                Evict(limit);
            }

            if (new FileInfo(_folder.Log).Length >= CheckpointFrom)
            {
                _database.Checkpoint(truncate: false);
                _folder.WriteCleanMarker();
            }
        }
        catch (IOException e)
        {
            // What was written is safe in the log. But it cannot go on like this.
            _fault ??= e is SqliteFault { IsFull: true } ? Full() : Unwritable(e);
        }
    }

    private void Evict(long limit)
    {
        if (CacheUpkeep.BytesInUse(_database) <= limit)
        {
            return;
        }

        long evicted = CacheUpkeep.DropOldest(_database, limit / 10 * 9);
        Evicted += evicted;
        if (evicted > 0)
        {
            _options.OnNotice?.Invoke($"The cache in {_folder.Path} is over its limit of {limit:N0} bytes: its {evicted:N0} oldest answers were dropped, and are paid for again when they are asked again.");
        }
    }

    private void Remember(List<Put> puts)
    {
        foreach (Put put in puts)
        {
            if (_unwrittenBytes + put.Body.Length <= MaxUnwritten)
            {
                _unwrittenBytes += put.Body.Length;
                _unwritten.Add(put);
            }
        }
    }

    private void End()
    {
        try
        {
            using (FolderLock.Take(_folder.WriteLock, _options.OnNotice))
            {
                try
                {
                    if (_unwritten.Count > 0)
                    {
                        // There may be room by now.
                        TryWrite(_unwritten);
                    }

                    if (_fault is null && _database.Checkpoint(truncate: true))
                    {
                        _folder.WriteCleanMarker();
                    }
                }
                finally
                {
                    Dispose();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever put those answers was told that they are not kept; the log is brought over by whoever opens the cache next.
            _database.LeaveLog();
            Dispose();
        }
    }

    private void Dispose()
    {
        _begin.Dispose();
        _insert.Dispose();
        _commit.Dispose();
        _database.Dispose();
    }

    // Not tried again: after a failed flush nobody knows what is on the disk. Whoever opens it next reads it as a whole.
    private IOException Unwritable(Exception e)
    {
        _folder.RemoveCleanMarker();
        return e == _fault ? _fault : new IOException($"The cache in {_folder.Path} cannot be written: {e.Message}", e);
    }

    private IOException Full() => new(
        $"The disk is full: the cache in {_folder.Path} cannot keep more answers. Make room there, or choose a folder elsewhere; answers that are there are kept.");

    /// <summary>One entry to be written.</summary>
    internal readonly record struct Put(byte[] Key, byte[] Scope, int Status, byte[] Model, long Created, byte[] Digest, ReadOnlyMemory<byte> Body);

    private sealed class Commit
    {
        public List<Put> Puts { get; } = [];

        public List<Action<CacheDatabase>> Jobs { get; } = [];

        public long Bytes { get; set; }

        public bool IsEmpty => Puts.Count == 0 && Jobs.Count == 0;

        public bool IsLarge => Puts.Count >= MaxInCommit || Bytes >= MaxBytesInCommit;

        // Continuations run elsewhere: the writer has more to write.
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource JobsDone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
