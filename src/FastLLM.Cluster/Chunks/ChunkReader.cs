using System.Text;

namespace FastLLM.Cluster.Chunks;

/// <summary>Reads the rows of a chunk.</summary>
internal static class ChunkReader
{
    /// <summary>Reads the rows. Their bodies are parts of one array.</summary>
    /// <param name="packed">The bytes as <see cref="ChunkWriter"/> made them.</param>
    /// <exception cref="InvalidDataException">They are damaged, or were made by a newer version.</exception>
    public static ChunkRow[] Read(byte[] packed)
    {
        byte[] bytes = Compression.Unpack(packed);
        try
        {
            using var reader = new BinaryReader(new MemoryStream(bytes), Encoding.UTF8);
            byte version = reader.ReadByte();
            if (version != ChunkWriter.Version)
            {
                throw new InvalidDataException(
                    $"A chunk has the format {version}, which a newer version of FastLLM writes. Install that one.");
            }

            var rows = new ChunkRow[reader.Read7BitEncodedInt()];
            for (var i = 0; i < rows.Length; i++)
            {
                rows[i] = ReadRow(reader, bytes);
            }

            return rows;
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException or ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("The rows of a chunk are damaged.", e);
        }
    }

    private static ChunkRow ReadRow(BinaryReader reader, byte[] bytes)
    {
        string id = reader.ReadString();
        if (reader.ReadBoolean())
        {
            string error = reader.ReadString();
            return new ChunkRow(id, "", 0, ReadBytes(reader, bytes), default, error);
        }

        string endpoint = reader.ReadString();
        int sample = reader.Read7BitEncodedInt();
        ReadOnlyMemory<byte> body = ReadBytes(reader, bytes);
        return new ChunkRow(id, string.Intern(endpoint), sample, ReadBytes(reader, bytes), body, null);
    }

    private static ReadOnlyMemory<byte> ReadBytes(BinaryReader reader, byte[] bytes)
    {
        int length = reader.Read7BitEncodedInt();
        var offset = (int)reader.BaseStream.Position;
        ReadOnlyMemory<byte> part = bytes.AsMemory(offset, length);
        reader.BaseStream.Position = offset + length;
        return part;
    }
}
