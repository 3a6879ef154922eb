using System.Buffers;
using System.IO.Pipelines;

namespace FastLLM.Simulator.Serving;

/// <summary>Reads request bodies that arrive in pieces.</summary>
internal static class RequestBody
{
    public const long MaxBytes = 256L << 20;

    /// <summary>Copies a body piece by piece, so that the connection's own buffers stay small.</summary>
    public static async ValueTask<(byte[] Rented, int Length)> CopyAsync(PipeReader reader, ReadResult read, long? contentLength)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(contentLength ?? 0, 4096, MaxBytes));
        int length = 0;
        try
        {
            while (true)
            {
                ReadOnlySequence<byte> buffer = read.Buffer;
                int needed = checked(length + (int)buffer.Length);
                if (needed > bytes.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 2 * bytes.Length));
                    bytes.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(bytes);
                    bytes = larger;
                }

                buffer.CopyTo(bytes.AsSpan(length));
                length = needed;
                bool last = read.IsCompleted;
                reader.AdvanceTo(buffer.End);
                if (last)
                {
                    return (bytes, length);
                }

                read = await reader.ReadAsync();
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(bytes);
            throw;
        }
    }
}
