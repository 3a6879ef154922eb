using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>Writes all entries on one thread, so that entries share the flush of a commit to the disk.</summary>
/// <remarks>
/// Every transaction and every checkpoint of any process runs under the write lock of the folder. SQLite 3.50.4 can damage a database when
/// two connections write or checkpoint at once (the WAL-reset bug, sqlite.org/wal.html), and with the lock processes wait for each other
/// without errors.
/// </remarks>
internal sealed class CacheWriter : IDisposable
{
    private const long MaxUnwritten = 64L << 20;
    private const long CheckpointFrom = 64L << 20;

    private readonly CacheFolder _folder;
    private readonly DiskCacheOptions _options;
    private readonly CommitQueue _queue = new();
    private readonly CommitConnection _connection;
    private readonly string? _identity;
    private readonly Thread _thread;
    private readonly List<CachePut> _unwritten = [];
    private long _unwrittenBytes;
    private volatile IOException? _fault;

    /// <summary>Creates the writer. The caller holds the write lock.</summary>
    public CacheWriter(CacheFolder folder, DiskCacheOptions options)
    {
        _folder = folder;
        _options = options;
        _connection = new CommitConnection(folder, options);
        try
        {
            _identity = folder.Identity();
            _fault = folder.TryHoldReserve() ? null : Full();
        }
        catch
        {
            _connection.Dispose();
            throw;
        }

        _thread = new Thread(Work) { IsBackground = true, Name = "FastLLM cache" };
        using (ExecutionContext.SuppressFlow())
        {
            _thread.Start();
        }
    }

    /// <summary>Gets why no more entries can be stored; then nothing more should be paid for.</summary>
    public IOException? Fault => _fault;

    /// <summary>Gets the number of entries that the size limit has removed.</summary>
    public long Evicted { get; private set; }

    /// <summary>Stores an entry; the task completes when it is committed.</summary>
    public Task PutAsync(in CachePut put) => _queue.Add(put);

    /// <summary>Changes the database when all earlier entries are committed.</summary>
    public Task DoAsync(Action<CacheDatabase> change) => _queue.Add(change);

    /// <summary>Commits pending entries, empties the log unless it is being read, and ends. Blocks until that is done.</summary>
    public void Dispose()
    {
        _queue.Close();
        _thread.Join();
    }

    private void Work()
    {
        while (_queue.Take() is { } commit)
        {
            try
            {
                using (FolderLock.Take(_folder.WriteLock, _options.OnNotice))
                {
                    CheckFolder();
                    Write(commit.Puts);
                    commit.Done.SetResult();
                    Tidy();
                    Change(commit);
                }
            }
            catch (Exception e)
            {
                commit.Done.TrySetException(_fault ??= Unwritable(e));
                commit.ChangesDone.TrySetException(_fault);
            }
        }

        End();
    }

    private void Change(CommitQueue.Commit commit)
    {
        try
        {
            commit.Changes.ForEach(change => change(_connection.Database));
            commit.ChangesDone.SetResult();
        }
        catch (Exception e)
        {
            commit.ChangesDone.SetException(e as IOException ?? new IOException(e.Message, e));
        }
    }

    private void Write(List<CachePut> puts)
    {
        if (puts.Count == 0)
        {
            return;
        }

        try
        {
            _connection.Write(puts);
        }
        catch (SqliteFault e) when (e.IsFull)
        {
            // The reserve is for responses that are already paid for. Nothing more is sent from here on.
            _fault ??= Full();
            if (!_folder.ReleaseReserve())
            {
                Remember(puts);
                throw _fault;
            }

            try
            {
                _connection.Write(puts);
            }
            catch (SqliteFault)
            {
                Remember(puts);
                throw _fault;
            }
        }
    }

    // The files of a deleted folder can still be written to, and are gone when the process ends.
    private void CheckFolder()
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
                _connection.Database.Checkpoint(truncate: false);
                if (_folder.HasCleanMarker)
                {
                    _folder.WriteCleanMarker();
                }
            }
        }
        catch (IOException e) when (Descriptors.AreUsedUp(e))
        {
            // The next commit tidies up.
        }
        catch (IOException e)
        {
            // The entries are safe in the log, but the cache cannot continue.
            _fault ??= e is SqliteFault { IsFull: true } ? Full() : Unwritable(e);
        }
    }

    private void Evict(long limit)
    {
        if (CacheUpkeep.BytesInUse(_connection.Database) <= limit)
        {
            return;
        }

        long evicted = CacheUpkeep.DropOldest(_connection.Database, limit / 10 * 9);
        Evicted += evicted;
        if (evicted > 0)
        {
            _options.OnNotice?.Invoke(
                $"The cache in {_folder.Path} is over its limit of {limit:N0} bytes: "
                + $"its {evicted:N0} oldest answers were dropped, and are paid for again if they are requested again.");
        }
    }

    private void Remember(List<CachePut> puts)
    {
        foreach (CachePut put in puts)
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
                        _connection.Write(_unwritten);
                    }

                    // Where damage was found, the log stays for the repair, and no marker says that there is none.
                    if (!_folder.HasCleanMarker)
                    {
                        _connection.Database.LeaveLog();
                    }
                    else if (_fault is null && _connection.Database.Checkpoint(truncate: true) && _folder.HasCleanMarker)
                    {
                        _folder.WriteCleanMarker();
                    }
                }
                finally
                {
                    _connection.Dispose();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The puts of these entries have failed already; the next opener of the cache reads the log.
            _connection.Database.LeaveLog();
            _connection.Dispose();
        }
    }

    // Not tried again: after a failed flush, the contents of the disk are unknown. The next opener checks the whole database.
    private IOException Unwritable(Exception e)
    {
        _folder.RemoveCleanMarker();
        return e == _fault ? _fault : new IOException($"The cache in {_folder.Path} cannot be written: {e.Message}", e);
    }

    private IOException Full() => new(
        $"The disk is full: the cache in {_folder.Path} cannot keep more answers. "
        + $"Make room there, or choose a folder elsewhere; answers that are there are kept.");
}
