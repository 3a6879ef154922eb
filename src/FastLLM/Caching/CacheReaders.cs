using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>Holds read-only connections. Readers neither wait for the writer nor make it wait.</summary>
internal sealed class CacheReaders : IDisposable
{
    private readonly string _path;
    private readonly Reader?[] _idle = new Reader?[Math.Clamp(Environment.ProcessorCount, 2, 16)];
    private volatile bool _closed;

    public CacheReaders(string path)
    {
        _path = path;
        Return(new Reader(path));
    }

    /// <summary>Finds an entry.</summary>
    /// <param name="key">The key of the request.</param>
    /// <param name="scope">The endpoint; <see langword="null"/> for any.</param>
    /// <param name="oldest">The earliest time of an entry that counts, in Unix milliseconds.</param>
    /// <param name="isDamaged">Whether there is an entry, but damaged.</param>
    public CacheEntry? Find(RequestKey key, string? scope, long oldest, out bool isDamaged)
    {
        Reader reader = Rent();
        try
        {
            return reader.Find(key, scope, oldest, out isDamaged);
        }
        finally
        {
            Return(reader);
        }
    }

    public void Dispose()
    {
        _closed = true;
        for (var i = 0; i < _idle.Length; i++)
        {
            Interlocked.Exchange(ref _idle[i], null)?.Dispose();
        }
    }

    private Reader Rent()
    {
        long begun = TimeProvider.System.GetTimestamp();
        for (var tries = 0; ; tries++)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(DiskCache));
            if (TakeIdle() is { } idle)
            {
                return idle;
            }

            try
            {
                return new Reader(_path);
            }
            catch (IOException) when (Descriptors.AreScarce() && TimeProvider.System.GetElapsedTime(begun) < Descriptors.Patience)
            {
                // A reader in use is returned within a moment.
                FolderLock.Pause(tries);
            }
        }
    }

    private Reader? TakeIdle()
    {
        for (var i = 0; i < _idle.Length; i++)
        {
            if (_idle[i] is not null && Interlocked.Exchange(ref _idle[i], null) is { } reader)
            {
                return reader;
            }
        }

        return null;
    }

    private void Return(Reader reader)
    {
        for (var i = 0; i < _idle.Length && !_closed; i++)
        {
            if (_idle[i] is null && Interlocked.CompareExchange(ref _idle[i], reader, null) is null)
            {
                if (_closed)
                {
                    Interlocked.Exchange(ref _idle[i], null)?.Dispose();
                }

                return;
            }
        }

        reader.Dispose();
    }

    private sealed class Reader : IDisposable
    {
        private readonly CacheDatabase _database;
        private readonly Statement _ofScope;
        private readonly Statement _ofAnybody;
        private readonly byte[] _key = new byte[RequestKey.Size];
        private readonly CacheRow.Utf8Text _scopes = new();
        private readonly CacheRow.Utf8Text _models = new();

        public Reader(string path)
        {
            _database = CacheDatabase.OpenToRead(path);
            try
            {
                _ofScope = _database.Prepare($"SELECT {CacheDatabase.Columns} FROM answers WHERE key=?1 AND scope=?2");
                _ofAnybody = _database.Prepare(
                    $"SELECT {CacheDatabase.Columns} FROM answers WHERE key=?1 AND created>=?2 ORDER BY id DESC");
            }
            catch
            {
                _database.Dispose();
                throw;
            }
        }

        public CacheEntry? Find(RequestKey key, string? scope, long oldest, out bool isDamaged)
        {
            isDamaged = false;
            key.CopyTo(_key);
            Statement find = scope is null ? _ofAnybody.Bind(1, _key).Bind(2, oldest)
                : _ofScope.Bind(1, _key).BindText(2, _scopes.Utf8(scope));
            try
            {
                return find.Step() ? Entry(find, key, scope, oldest, out isDamaged) : null;
            }
            finally
            {
                // Ends the read transaction too, so that the log can be restarted.
                find.Reset();
            }
        }

        public void Dispose()
        {
            _ofScope.Dispose();
            _ofAnybody.Dispose();
            _database.Dispose();
        }

        private CacheEntry? Entry(Statement row, RequestKey key, string? scope, long oldest, out bool isDamaged)
        {
            // A damaged index may lead to an intact row of another request.
            bool isAsked = scope is null || row.Blob(1).SequenceEqual(_scopes.Utf8(scope));
            (RequestKey Key, CacheEntry Entry)? read = CacheRow.Read(row, scope, _models);
            isDamaged = !isAsked || read?.Key != key;
            return isDamaged || row.Integer(4) < oldest ? null : read!.Value.Entry;
        }
    }
}
