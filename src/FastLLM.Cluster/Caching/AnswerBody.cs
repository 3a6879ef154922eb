using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace FastLLM.Cluster.Caching;

/// <summary>Packs the body of an answer for the database: compressed where that saves an eighth or more.</summary>
/// <remarks>The first byte says how: 0, and the body as it is; or 1, the body's length in 4 bytes (little-endian), and Brotli.</remarks>
internal static class AnswerBody
{
    private const byte Plain = 0;
    private const byte Brotli = 1;
    private const int BrotliHeader = 5;

    // A row below that fits a page without being divided: compression would cost more than the bytes that it saves.
    private const int MinLength = 2000;
    private const int Quality = 1;
    private const int Window = 18;

    public static byte[] Pack(ReadOnlySpan<byte> body) => body.Length >= MinLength && Compress(body) is { } compressed
        ? compressed : [Plain, .. body];

    /// <summary>Restores a body that <see cref="Pack"/> has packed.</summary>
    /// <returns>The body; <see langword="null"/> if the bytes are not that.</returns>
    public static ReadOnlyMemory<byte>? Unpack(byte[] packed)
    {
        if (packed is [Plain, ..])
        {
            return packed.AsMemory(1);
        }

        if (packed is not [Brotli, _, _, _, _, ..] || BinaryPrimitives.ReadInt32LittleEndian(packed.AsSpan(1)) is not (>= 0 and var length))
        {
            return null;
        }

        var body = new byte[length];
        bool isWhole = BrotliDecoder.TryDecompress(packed.AsSpan(BrotliHeader), body, out int written) && written == length;
        return isWhole ? body : default(ReadOnlyMemory<byte>?);
    }

    private static byte[]? Compress(ReadOnlySpan<byte> body)
    {
        int most = body.Length - (body.Length / 8);
        byte[] rented = ArrayPool<byte>.Shared.Rent(most);
        try
        {
            if (!BrotliEncoder.TryCompress(body, rented.AsSpan(BrotliHeader, most - BrotliHeader), out int written, Quality, Window))
            {
                return null;
            }

            rented[0] = Brotli;
            BinaryPrimitives.WriteInt32LittleEndian(rented.AsSpan(1), body.Length);
            return rented.AsSpan(0, BrotliHeader + written).ToArray();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
