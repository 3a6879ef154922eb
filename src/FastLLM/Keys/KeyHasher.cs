using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FastLLM.Json;

namespace FastLLM.Keys;

/// <summary>Builds the bytes that a key is the digest of: version tag, endpoint, canonical body, sample. Each thread has one, for its
/// buffers.</summary>
internal sealed class KeyHasher
{
    [ThreadStatic]
    private static KeyHasher? _hasher;

    private readonly ByteBuffer _text = new();
    private readonly CanonicalJson _canonical = new();

    /// <summary>Gets the hasher of the calling thread.</summary>
    public static KeyHasher ForThisThread => _hasher ??= new KeyHasher();

    // Stored keys depend on this tag and on everything after it: a change of either loses every paid response.
    private static ReadOnlySpan<byte> Tag => "fastllm-key-v1\n"u8;

    /// <summary>Computes the key of a body as the caller wrote it.</summary>
    public RequestKey HashBody(string endpoint, ReadOnlySpan<byte> utf8Body, int sample)
    {
        try
        {
            WriteHead(endpoint, utf8Body.Length);
            _canonical.Write(_text, utf8Body);
            return Finish(sample);
        }
        finally
        {
            _text.Reset();
        }
    }

    /// <summary>Computes the key of a body that is already canonical.</summary>
    public RequestKey HashCanonical(string endpoint, ReadOnlySpan<byte> canonicalBody, int sample)
    {
        try
        {
            WriteHead(endpoint, canonicalBody.Length);
            _text.Append(canonicalBody);
            return Finish(sample);
        }
        finally
        {
            _text.Reset();
        }
    }

    private void WriteHead(string endpoint, int bodyLength)
    {
        int endpointLength = Encoding.UTF8.GetByteCount(endpoint);
        _text.EnsureFree(Tag.Length + endpointLength + bodyLength + 32);
        _text.Append(Tag);
        Encoding.UTF8.GetBytes(endpoint, _text.Append(endpointLength));
        _text.Append((byte)'\n');
    }

    private RequestKey Finish(int sample)
    {
        if (sample > 0)
        {
            Span<byte> digits = stackalloc byte[10];
            sample.TryFormat(digits, out int length, provider: CultureInfo.InvariantCulture);
            _text.Append("\n#"u8);
            _text.Append(digits[..length]);
        }

        Span<byte> digest = stackalloc byte[RequestKey.Size];
        SHA256.HashData(_text.Written, digest);
        return RequestKey.FromBytes(digest);
    }
}
