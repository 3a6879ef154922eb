namespace FastLLM;

/// <summary>Options of a <see cref="DiskCache"/>.</summary>
/// <remarks>Setters check their value. The cache takes a copy: later changes have no effect on it.</remarks>
public sealed class DiskCacheOptions
{
    /// <summary>Gets or sets how long an entry is valid after it was received.</summary>
    /// <value>
    /// The default is <see langword="null"/>: for ever. An older entry is not found, and is removed by a new entry of the same key or by
    /// pruning.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive.</exception>
    public TimeSpan? Ttl
    {
        get;
        set
        {
            if (value is { } ttl)
            {
                ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(ttl, TimeSpan.Zero, nameof(Ttl));
            }

            field = value;
        }
    }

    /// <summary>Gets or sets the maximum size of the database on disk in bytes, without its write-ahead log.</summary>
    /// <value>
    /// The default is <see langword="null"/>: entries are never removed. Over the limit, the oldest entries are removed until the size is
    /// nine tenths of it. Their number is counted (<see cref="DiskCacheStats.Evicted"/>) and reported (<see cref="OnNotice"/>).
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 MB (1,048,576).</exception>
    public long? SizeLimit
    {
        get;
        set
        {
            if (value is { } limit)
            {
                ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1 << 20, nameof(SizeLimit));
            }

            field = value;
        }
    }

    /// <summary>Gets or sets what a stored entry survives.</summary>
    /// <value>The default is <see cref="Durability.PowerLoss"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a member of the enumeration.</exception>
    public Durability Durability
    {
        get;
        set
        {
            if (!Enum.IsDefined(value))
            {
                throw new ArgumentOutOfRangeException(nameof(Durability), value, "Neither PowerLoss nor ProcessKill.");
            }

            field = value;
        }
    }

    /// <summary>Gets or sets a value indicating whether the folder may be on a network file system.</summary>
    /// <value>
    /// The default is <see langword="false"/>: processes on several machines would damage the database, and many network file systems do
    /// not support the locks that even processes on one machine need.
    /// </value>
    public bool AllowNetworkFileSystem { get; set; }

    /// <summary>
    /// Gets or sets a callback for messages to the user, one line each: a repair, a long wait for another process, entries removed over the
    /// size limit. It is called from any thread and must not throw.
    /// </summary>
    public Action<string>? OnNotice { get; set; }

    /// <summary>Gets or sets the clock for the age of entries.</summary>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public TimeProvider TimeProvider
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value, nameof(TimeProvider));
            field = value;
        }
    } = TimeProvider.System;

    /// <summary>Gets or sets the maximum number of database pages, to simulate a full disk in tests.</summary>
    internal int? MaxPages { get; set; }

    internal DiskCacheOptions Copy() => (DiskCacheOptions)MemberwiseClone();
}
