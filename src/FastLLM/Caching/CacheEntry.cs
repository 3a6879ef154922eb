namespace FastLLM;

/// <summary>A response as a cache keeps it: its bytes, and what is needed to trust them.</summary>
/// <param name="Body">The response's bytes. They are kept, not copied, and must not change.</param>
/// <param name="Scope">The endpoint that the answer is good for, such as <c>https://api.openai.com/v1</c>.</param>
/// <param name="StatusCode">The HTTP status with which it came; 200 where there was none.</param>
/// <param name="CreatedAt">When it was received.</param>
public readonly record struct CacheEntry(ReadOnlyMemory<byte> Body, string Scope, int StatusCode, DateTimeOffset CreatedAt)
{
    /// <summary>Gets the model that was asked, where the request named one; for statistics and for tidying up, never part of what is looked up.</summary>
    public string? Model { get; init; }

    /// <summary>Computes the SHA-256 digest of <see cref="Body"/>, by which a cache on disk tells a damaged entry.</summary>
    /// <returns>32 bytes.</returns>
    public byte[] ComputeDigest() => System.Security.Cryptography.SHA256.HashData(Body.Span);
}
