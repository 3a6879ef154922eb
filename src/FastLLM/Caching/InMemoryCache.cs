using FastLLM.Caching;

namespace FastLLM;

/// <summary>Stores responses in memory, for the life of the process.</summary>
/// <remarks>Safe for concurrent use by any number of managers. Without a size limit, no entry is ever removed.</remarks>
public sealed class InMemoryCache : CacheProvider
{
    private readonly MemoryShard[] _shards;
    private volatile bool _closed;

    /// <summary>Creates an empty cache.</summary>
    /// <param name="sizeLimit">The maximum bytes of responses, or <see langword="null"/> for no limit. Over the limit, the oldest entries
    /// are removed first and must be paid for again. A response larger than the limit is not stored.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not positive.</exception>
    public InMemoryCache(long? sizeLimit = null)
    {
        if (sizeLimit is { } limit)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit, nameof(sizeLimit));
        }

        SizeLimit = sizeLimit;

        // "Oldest first" needs one order of all entries, and so one shard; without a limit, several shards reduce contention.
        _shards = new MemoryShard[sizeLimit is null ? 16 : 1];
        for (var i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new MemoryShard(sizeLimit);
        }
    }

    /// <summary>Gets the maximum bytes of responses, or <see langword="null"/> for no limit.</summary>
    public long? SizeLimit { get; }

    /// <summary>Gets the number of entries.</summary>
    public long Count => _shards.Sum(shard => shard.Count);

    /// <summary>Gets the bytes of all stored responses.</summary>
    public long Size => _shards.Sum(shard => shard.Size);

    /// <summary>Gets the number of entries that the size limit has removed.</summary>
    public long Evicted => _shards.Sum(shard => shard.Evicted);

    /// <inheritdoc/>
    public override ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) =>
        new(Shard(key).Find(key, scope) is not null);

    /// <inheritdoc/>
    public override ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) =>
        new(Shard(key).Find(key, scope));

    /// <inheritdoc/>
    public override ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entry.Scope, nameof(entry));
        Shard(key).Put(key, entry);
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask ClearAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        Clear();
        return default;
    }

    /// <inheritdoc/>
    public override ValueTask CloseAsync(CancellationToken cancellationToken = default)
    {
        _closed = true;
        Clear();
        return default;
    }

    private void Clear()
    {
        foreach (MemoryShard shard in _shards)
        {
            shard.Clear();
        }
    }

    private MemoryShard Shard(RequestKey key)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        return _shards[(uint)key.GetHashCode() % (uint)_shards.Length];
    }
}
