using System.Buffers;

namespace FastLLM.Json;

/// <summary>Grows buffers of the shared pool.</summary>
internal static class PooledBuffer
{
    /// <summary>Returns a buffer of at least twice the size with the same content, and gives the old one back to the pool.</summary>
    public static byte[] Grow(byte[] buffer)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }
}
