namespace FastLLM;

/// <summary>What a <see cref="DiskCache"/> holds.</summary>
public sealed class DiskCacheStats
{
    /// <summary>Gets the number of entries, also of those that are older than the cache's <see cref="DiskCacheOptions.Ttl"/>.</summary>
    public long Entries { get; init; }

    /// <summary>Gets the bytes of all answers.</summary>
    public long AnswerBytes { get; init; }

    /// <summary>Gets the bytes that the database takes on disk, its write-ahead log included.</summary>
    public long FileBytes { get; init; }

    /// <summary>Gets when the oldest answer was received; <see langword="null"/> in an empty cache.</summary>
    public DateTimeOffset? Oldest { get; init; }

    /// <summary>Gets when the newest answer was received; <see langword="null"/> in an empty cache.</summary>
    public DateTimeOffset? Newest { get; init; }

    /// <summary>Gets how many entries this cache object has dropped over its size limit.</summary>
    public long Evicted { get; init; }

    /// <summary>Gets how many damaged entries this cache object has met. They count as not there, and are asked again.</summary>
    public long Damaged { get; init; }

    /// <summary>Gets the entries by endpoint and model, the most first.</summary>
    public IReadOnlyList<DiskCacheShare> Shares { get; init; } = [];
}

/// <summary>The entries of one endpoint and model.</summary>
/// <param name="Scope">Who was asked.</param>
/// <param name="Model">The model that the requests named; empty where they named none.</param>
/// <param name="Entries">How many.</param>
/// <param name="AnswerBytes">The bytes of their answers.</param>
public readonly record struct DiskCacheShare(string Scope, string Model, long Entries, long AnswerBytes);

/// <summary>What a look at every entry of a <see cref="DiskCache"/> has found.</summary>
public sealed class DiskCacheVerification
{
    /// <summary>Gets the number of entries that are as they were written.</summary>
    public long Sound { get; init; }

    /// <summary>Gets the number of entries that are not. They are never handed out.</summary>
    public long Damaged { get; init; }

    /// <summary>Gets what is wrong with the database's structure, if anything: what SQLite's <c>integrity_check</c> says.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>Gets a value indicating whether all is well.</summary>
    public bool IsSound => Damaged == 0 && Problems.Count == 0;
}
