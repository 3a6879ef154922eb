using System.IO.Compression;

namespace FastLLM.Cluster.Chunks;

/// <summary>Packs what the store holds: Brotli at its fastest level, faster than the database, and it saves most of the room.</summary>
internal static class Compression
{
    /// <summary>Returns the packed form of what is written to a stream.</summary>
    public static byte[] Pack(Action<Stream> write)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            write(brotli);
        }

        return packed.ToArray();
    }

    /// <summary>Returns a stream of what was packed.</summary>
    public static Stream Open(byte[] packed) => new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress);

    /// <summary>Returns what was packed.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged.</exception>
    public static byte[] Unpack(byte[] packed)
    {
        try
        {
            using Stream brotli = Open(packed);
            using var plain = new MemoryStream(packed.Length * 4);
            brotli.CopyTo(plain);
            return plain.ToArray();
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException("A chunk is damaged.", e); // what BrotliStream throws on bytes that are not Brotli
        }
    }
}
