using FastLLM.Cluster.Caching;

namespace FastLLM;

/// <summary>Options of a <see cref="PostgresCache"/>.</summary>
/// <remarks>Setters check their value. The cache takes a copy: later changes have no effect on it.</remarks>
public sealed class PostgresCacheOptions
{
    /// <summary>Gets or sets how long an entry is valid after it was received.</summary>
    /// <value>The default is <see langword="null"/>: entries never expire. An older entry is not found, and is replaced by a new entry of
    /// the same key or removed by <see cref="PostgresCache.PruneAsync"/>.</value>
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

    /// <summary>Gets or sets how long look-ups and puts wait for a database that is away: restarting, unreachable, or full. After that they
    /// fail, which stops the runs of a manager.</summary>
    /// <value>The default is 2 minutes; <see cref="TimeSpan.MaxValue"/> waits until it is back.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public TimeSpan MaxOutage
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, nameof(MaxOutage));
            field = value;
        }
    } = TimeSpan.FromMinutes(2);

    /// <summary>Gets or sets how long the claim of a machine that has died keeps others from sending the request. Claims are renewed three
    /// times in this period.</summary>
    /// <value>The default is 10 seconds.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 second.</exception>
    public TimeSpan ClaimExpiry
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.FromSeconds(1), nameof(ClaimExpiry));
            field = value;
        }
    } = TimeSpan.FromSeconds(10);

    /// <summary>Gets or sets a callback for messages to the user, one line each: the database is away, it is back, an entry is damaged. It
    /// is called from any thread and must not throw.</summary>
    public Action<string>? OnNotice { get; set; }

    /// <summary>Gets or sets the clock for waits, and for the age of entries.</summary>
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

    /// <summary>Gets or sets what runs before and after each command, so that tests can let the database fail.</summary>
    internal ICommandFaults? Faults { get; set; }

    internal PostgresCacheOptions Copy() => (PostgresCacheOptions)MemberwiseClone();
}
