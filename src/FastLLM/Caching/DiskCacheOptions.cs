namespace FastLLM;

/// <summary>How a <see cref="DiskCache"/> keeps answers.</summary>
/// <remarks>Setters refuse nonsense at the line that sets it. The cache takes a copy: later changes have no effect on it.</remarks>
public sealed class DiskCacheOptions
{
    /// <summary>Gets or sets how long an answer is good for, from when it was received.</summary>
    /// <value>The default is <see langword="null"/>: for ever. An older one is not found, and makes room when the same is asked again or the cache is pruned.</value>
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

    /// <summary>Gets or sets the most bytes that the database may take on disk, its write-ahead log apart.</summary>
    /// <value>
    /// The default is <see langword="null"/>: paid answers are never dropped. Over the limit the oldest go first, down to nine tenths of
    /// it; how many is counted (<see cref="DiskCacheStats.Evicted"/>) and said (<see cref="OnNotice"/>).
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

    /// <summary>Gets or sets what an acknowledged answer survives.</summary>
    /// <value>The default is <see cref="Durability.PowerLoss"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the enumeration.</exception>
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

    /// <summary>Gets or sets a value indicating whether a folder on a network file system is accepted.</summary>
    /// <value>The default is <see langword="false"/>: processes on several machines would damage the database, and many such systems do not keep the locks that processes on one machine need.</value>
    public bool AllowNetworkFileSystem { get; set; }

    /// <summary>Gets or sets who is told, in one line each, what a person should know: a repair, a long wait for another process, answers dropped over the size limit. Called from any thread; must not throw.</summary>
    public Action<string>? OnNotice { get; set; }

    /// <summary>Gets or sets the clock by which answers age.</summary>
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

    /// <summary>Gets or sets the most pages of the database: a full disk, for tests.</summary>
    internal int? MaxPages { get; set; }

    internal DiskCacheOptions Copy() => (DiskCacheOptions)MemberwiseClone();
}
