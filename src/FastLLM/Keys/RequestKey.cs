using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using FastLLM.Keys;

namespace FastLLM;

/// <summary>
/// Represents the identity of a request: two requests have the same key exactly if they are equal and have the same endpoint path.
/// </summary>
/// <remarks>
/// <para>A key is the SHA-256 digest of a version tag, the endpoint's path, the canonical form of the JSON body and, where it
/// is greater than 0, the sample number. Equal requests are sent once and share one response, and a cache stores responses by key.</para>
/// <para>The canonical form ignores what cannot change the response: white space, the order of members, how a character is
/// escaped (<c>\u00e9</c> or <c>é</c>), how a number is written (<c>1</c>, <c>1.0</c>, <c>10e-1</c>), members of the body itself that are
/// <see langword="null"/>, and the body's own <c>stream</c> and <c>stream_options</c>. Everything else counts: the order
/// of elements, blank strings, empty arrays, nested nulls, every digit of a number.</para>
/// <para>The same request has the same key on every platform and in every release, so keys may be stored.</para>
/// <para>A key does not contain its request, but a guess of the request can be confirmed with the key.</para>
/// <para>An immutable value of 32 bytes; safe to share between threads. <see langword="default"/>, 64 zeros, is not the key of any
/// request.</para>
/// </remarks>
public readonly struct RequestKey : IEquatable<RequestKey>
{
    /// <summary>The length of a key in bytes.</summary>
    internal const int Size = 32;

    private const int HexDigits = Size * 2;

    // The digest, eight bytes each, little-endian on every machine.
    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    private RequestKey(ulong a, ulong b, ulong c, ulong d)
    {
        _a = a;
        _b = b;
        _c = c;
        _d = d;
    }

    /// <summary>Computes the key of a request from its JSON body.</summary>
    /// <param name="endpoint">The path that the request is sent to, such as <c>/v1/chat/completions</c>. It is compared as it is.</param>
    /// <param name="utf8Body">
    /// The body: one JSON object in UTF-8, with or without a byte order mark. It is read only during the call.
    /// </param>
    /// <param name="sample">The number of the sample, for several responses to one body. The default is 0.</param>
    /// <returns>The key.</returns>
    /// <remarks>Safe for concurrent use. A body of ordinary size allocates nothing once a thread has computed its first key;
    /// each thread keeps at most a few megabytes of buffers for the next one.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="endpoint"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">
    /// <paramref name="endpoint"/> does not begin with <c>/</c>, or has white space, control characters or half of a surrogate pair.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="sample"/> is negative.</exception>
    /// <exception cref="JsonException">The body is not exactly one valid JSON object (comments and trailing commas are not valid);
    /// or two members of one object have the same name; or a string is not valid Unicode; or it is nested deeper than 256 levels;
    /// or a number's exponent is beyond ±1,000,000,000. The message names the byte offset and the remedy.</exception>
    public static RequestKey Compute(string endpoint, ReadOnlySpan<byte> utf8Body, int sample = 0)
    {
        CheckArguments(endpoint, sample);
        return KeyHasher.ForThisThread.HashBody(endpoint, utf8Body, sample);
    }

    /// <summary>Reads a key from the form that <see cref="ToString"/> writes.</summary>
    /// <param name="value">Exactly 64 hexadecimal digits, of either case.</param>
    /// <returns>The key.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="value"/> is <see langword="null"/>.</exception>
    /// <exception cref="FormatException"><paramref name="value"/> is not 64 hexadecimal digits.</exception>
    public static RequestKey Parse(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return TryParse(value, out RequestKey key)
            ? key
            : throw new FormatException(
                $"A request key is exactly {HexDigits} hexadecimal digits; this text has {value.Length} characters"
                + $"{(value.Length == HexDigits ? ", not all of them hexadecimal digits" : "")}.");
    }

    /// <summary>Reads a key from the form that <see cref="ToString"/> writes, without throwing.</summary>
    /// <param name="value">Exactly 64 hexadecimal digits, of either case; anything else, also <see langword="null"/>, is not a key.</param>
    /// <param name="key">The key, or <see langword="default"/> if there is none.</param>
    /// <returns><see langword="true"/> if <paramref name="value"/> is a key.</returns>
    public static bool TryParse(string? value, out RequestKey key)
    {
        Span<byte> digest = stackalloc byte[Size];
        if (value?.Length == HexDigits && Convert.FromHexString(value, digest, out _, out _) == OperationStatus.Done)
        {
            key = FromBytes(digest);
            return true;
        }

        key = default;
        return false;
    }

    /// <summary>Returns whether two keys are equal.</summary>
    /// <param name="left">A key.</param>
    /// <param name="right">Another key.</param>
    /// <returns><see langword="true"/> if they are the same 32 bytes.</returns>
    public static bool operator ==(RequestKey left, RequestKey right) => left.Equals(right);

    /// <summary>Returns whether two keys differ.</summary>
    /// <param name="left">A key.</param>
    /// <param name="right">Another key.</param>
    /// <returns><see langword="true"/> if they are not the same 32 bytes.</returns>
    public static bool operator !=(RequestKey left, RequestKey right) => !left.Equals(right);

    /// <summary>Returns whether this key equals another.</summary>
    /// <param name="other">The other key.</param>
    /// <returns><see langword="true"/> if they are the same 32 bytes.</returns>
    public bool Equals(RequestKey other) => ((_a ^ other._a) | (_b ^ other._b) | (_c ^ other._c) | (_d ^ other._d)) == 0;

    /// <summary>Returns whether an object is a key equal to this one.</summary>
    /// <param name="obj">Any object.</param>
    /// <returns><see langword="true"/> if it is a <see cref="RequestKey"/> of the same 32 bytes.</returns>
    public override bool Equals(object? obj) => obj is RequestKey other && Equals(other);

    /// <summary>Gets a hash code: bits of the digest, which are evenly distributed.</summary>
    /// <returns>The hash code. Store the key, not this.</returns>
    public override int GetHashCode() => (int)_a;

    /// <summary>Writes the key as 64 lower-case hexadecimal digits, the form that is stored in files and caches.</summary>
    /// <returns>The digits; <see cref="Parse"/> reads them back.</returns>
    public override string ToString()
    {
        Span<byte> digest = stackalloc byte[Size];
        CopyTo(digest);
        return Convert.ToHexStringLower(digest);
    }

    /// <summary>Computes the key of a body that the caller knows to be canonical.</summary>
    internal static RequestKey FromCanonical(string endpoint, ReadOnlySpan<byte> canonicalBody, int sample)
    {
        CheckArguments(endpoint, sample);
        return KeyHasher.ForThisThread.HashCanonical(endpoint, canonicalBody, sample);
    }

    /// <summary>Creates a key from the first 32 bytes.</summary>
    internal static RequestKey FromBytes(ReadOnlySpan<byte> digest)
    {
        digest = digest[..Size];
        return new RequestKey(
            BinaryPrimitives.ReadUInt64LittleEndian(digest),
            BinaryPrimitives.ReadUInt64LittleEndian(digest[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(digest[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(digest[24..]));
    }

    /// <summary>Writes the 32 bytes of the key.</summary>
    internal void CopyTo(Span<byte> destination)
    {
        destination = destination[..Size];
        BinaryPrimitives.WriteUInt64LittleEndian(destination, _a);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], _d);
    }

    private static void CheckArguments(string endpoint, int sample)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentOutOfRangeException.ThrowIfNegative(sample);
        if (endpoint.Length == 0 || endpoint[0] != '/')
        {
            throw new ArgumentException("An endpoint is a path that begins with '/', such as /v1/chat/completions.", nameof(endpoint));
        }

        // Printable ASCII, as every real path is, needs no further check.
        if (endpoint.AsSpan().ContainsAnyExceptInRange('!', '~') && !IsPlainUnicode(endpoint))
        {
            throw new ArgumentException(
                "An endpoint holds no white space, control characters or unpaired surrogates; percent-encode them.", nameof(endpoint));
        }
    }

    private static bool IsPlainUnicode(string endpoint)
    {
        for (int i = 0; i < endpoint.Length; i++)
        {
            char c = endpoint[i];
            bool pair = i + 1 < endpoint.Length && char.IsSurrogatePair(c, endpoint[i + 1]);
            if (char.IsWhiteSpace(c) || char.IsControl(c) || (char.IsSurrogate(c) && !pair))
            {
                return false;
            }

            i += pair ? 1 : 0;
        }

        return true;
    }
}
