using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FastLLM.Caching;

/// <summary>Computes the digest of a database row, so that a response is never returned damaged or for another request.</summary>
internal static class EntryDigest
{
    public const int Size = SHA256.HashSizeInBytes;

    private const int FixedBytes = RequestKey.Size + sizeof(long) + sizeof(int) + sizeof(int) + sizeof(int) + Size;

    /// <summary>
    /// Computes SHA-256 over key, time, status, lengths of scope and model, scope, model, and the SHA-256 of the body; numbers
    /// little-endian.
    /// </summary>
    public static void Compute(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> scope, ReadOnlySpan<byte> model, int status, long created, ReadOnlySpan<byte> body,
        Span<byte> digest)
    {
        int length = FixedBytes + scope.Length + model.Length;
        Span<byte> all = length <= 1024 ? stackalloc byte[1024] : new byte[length];
        all = all[..length];
        Span<byte> rest = all;
        key.CopyTo(rest);
        rest = rest[RequestKey.Size..];
        BinaryPrimitives.WriteInt64LittleEndian(rest, created);
        BinaryPrimitives.WriteInt32LittleEndian(rest[8..], status);
        BinaryPrimitives.WriteInt32LittleEndian(rest[12..], scope.Length);
        BinaryPrimitives.WriteInt32LittleEndian(rest[16..], model.Length);
        rest = rest[20..];
        scope.CopyTo(rest);
        rest = rest[scope.Length..];
        model.CopyTo(rest);
        SHA256.HashData(body, rest[model.Length..]);
        SHA256.HashData(all, digest);
    }

    /// <summary>Computes the digest of an entry to write.</summary>
    public static byte[] Compute(ReadOnlySpan<byte> key, byte[] scope, byte[] model, in CacheEntry entry)
    {
        var digest = new byte[Size];
        Compute(key, scope, model, entry.StatusCode, entry.CreatedAt.ToUnixTimeMilliseconds(), entry.Body.Span, digest);
        return digest;
    }

    /// <summary>Gets UTF-8 bytes; a lone surrogate becomes U+FFFD.</summary>
    public static byte[] Utf8(string? text) => string.IsNullOrEmpty(text) ? [] : Encoding.UTF8.GetBytes(text);
}
