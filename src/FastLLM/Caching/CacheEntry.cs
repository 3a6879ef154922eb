namespace FastLLM;

/// <summary>Represents a cached response.</summary>
/// <param name="Body">The bytes of the response. They are not copied and must not change.</param>
/// <param name="Scope">The endpoint that sent the response, such as <c>https://api.openai.com/v1</c>.</param>
/// <param name="StatusCode">The HTTP status of the response; 200 if there was none.</param>
/// <param name="CreatedAt">The time at which it was received.</param>
public readonly record struct CacheEntry(ReadOnlyMemory<byte> Body, string Scope, int StatusCode, DateTimeOffset CreatedAt)
{
    /// <summary>Gets the model of the request, if it named one; for statistics and pruning, never part of a lookup.</summary>
    public string? Model { get; init; }

    /// <summary>Computes the SHA-256 digest of <see cref="Body"/>.</summary>
    /// <returns>32 bytes.</returns>
    public byte[] ComputeDigest() => System.Security.Cryptography.SHA256.HashData(Body.Span);
}
