using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FastLLM.Cluster.Caching;

/// <summary>Represents the primary key of an answer: the request, and a hash of the endpoint.</summary>
/// <param name="Request">The key of the request.</param>
/// <param name="Scope">The hash; <see langword="null"/> for any endpoint.</param>
internal readonly record struct AnswerKey(RequestKey Request, long? Scope)
{
    public static AnswerKey Of(RequestKey request, string? scope) => new(request, scope is null ? null : HashOf(scope));

    /// <summary>Computes the first 8 bytes of the SHA-256 of a text in UTF-8.</summary>
    public static long HashOf(string scope)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(scope), digest);
        return BinaryPrimitives.ReadInt64BigEndian(digest);
    }

    /// <summary>Gets the bytes of the request's key.</summary>
    public byte[] RequestBytes()
    {
        var bytes = new byte[RequestKey.Size];
        Request.CopyTo(bytes);
        return bytes;
    }
}
