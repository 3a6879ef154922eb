namespace FastLLM;

/// <summary>Represents the result of <see cref="IClaimingCache.GetOrClaimAsync"/>.</summary>
/// <param name="Entry">The entry, if there is one.</param>
/// <param name="Claim">The claim, if the caller is to send the request.</param>
public readonly record struct CacheLookup(CacheEntry? Entry, CacheClaim? Claim)
{
    /// <summary>Gets a value that differs between an entry and the entry that replaces it; never 0.</summary>
    public long Version { get; init; }

    /// <summary>Gets when the entry was put, by the clock of this machine, whichever machine has put it.</summary>
    public DateTimeOffset RecordedAt { get; init; }

    /// <summary>Gets a value indicating whether another holder's claim is valid.</summary>
    public bool IsTaken => Entry is null && Claim is null;
}
