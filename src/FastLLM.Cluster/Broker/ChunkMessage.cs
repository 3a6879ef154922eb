using System.Globalization;
using System.Text;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Broker;

/// <summary>Reads and writes messages: the number of a chunk, a blank and its job.</summary>
internal static class ChunkMessage
{
    /// <summary>Returns the bytes of a message.</summary>
    public static byte[] Write(ChunkId chunk) => Encoding.UTF8.GetBytes(FormattableString.Invariant($"{chunk.Number} {chunk.Job}"));

    /// <summary>Reads a message; <see langword="null"/> if it is none.</summary>
    public static ChunkId? Read(ReadOnlySpan<byte> bytes)
    {
        string text = Encoding.UTF8.GetString(bytes);
        int blank = text.IndexOf(' ', StringComparison.Ordinal);
        return blank > 0 && int.TryParse(text.AsSpan(0, blank), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? new ChunkId(text[(blank + 1)..], number)
            : null;
    }
}
