namespace FastLLM;

/// <summary>Represents the statistics of a <see cref="DiskCache"/>.</summary>
public sealed class DiskCacheStats
{
    /// <summary>Gets the number of entries, including those older than <see cref="DiskCacheOptions.Ttl"/>.</summary>
    public long Entries { get; init; }

    /// <summary>Gets the bytes of all responses.</summary>
    public long AnswerBytes { get; init; }

    /// <summary>Gets the bytes that the database takes on disk, its write-ahead log included.</summary>
    public long FileBytes { get; init; }

    /// <summary>Gets when the oldest response was received; <see langword="null"/> if the cache is empty.</summary>
    public DateTimeOffset? Oldest { get; init; }

    /// <summary>Gets when the newest response was received; <see langword="null"/> if the cache is empty.</summary>
    public DateTimeOffset? Newest { get; init; }

    /// <summary>Gets the number of entries that this cache object has removed over its size limit.</summary>
    public long Evicted { get; init; }

    /// <summary>Gets the number of damaged entries that this cache object has found. They count as missing.</summary>
    public long Damaged { get; init; }

    /// <summary>Gets the entries by endpoint and model, the largest number first.</summary>
    public IReadOnlyList<DiskCacheShare> Shares { get; init; } = [];
}

/// <summary>Represents the entries of one endpoint and model.</summary>
/// <param name="Scope">The endpoint.</param>
/// <param name="Model">The model of the requests; empty if they named none.</param>
/// <param name="Entries">The number of entries.</param>
/// <param name="AnswerBytes">The bytes of their responses.</param>
public readonly record struct DiskCacheShare(string Scope, string Model, long Entries, long AnswerBytes);

/// <summary>Represents the result of checking every entry of a <see cref="DiskCache"/>.</summary>
public sealed class DiskCacheVerification
{
    /// <summary>Gets the number of intact entries.</summary>
    public long Sound { get; init; }

    /// <summary>Gets the number of damaged entries. They are never returned.</summary>
    public long Damaged { get; init; }

    /// <summary>Gets the problems of the database's structure that SQLite's <c>integrity_check</c> finds.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>Gets a value indicating whether there is no damage.</summary>
    public bool IsSound => Damaged == 0 && Problems.Count == 0;
}
