using System.Buffers;
using FastLLM.Json;

namespace FastLLM.Jobs.Output;

/// <summary>Represents whole lines of an output.</summary>
/// <param name="buffer">Holds them at its begin. It returns to the shared pool when they have been read.</param>
/// <param name="length">The length of the lines.</param>
/// <param name="offset">The offset of the first of them.</param>
internal sealed class OutputBlock(byte[] buffer, int length, long offset)
{
    /// <summary>Reads the records and the damaged lines. Call it once.</summary>
    public List<OutputEntry> Read()
    {
        List<OutputEntry> entries = [];
        int start = offset == 0 ? ByteOrderMark.LengthIn(buffer.AsSpan(0, length)) : 0;
        while (start < length)
        {
            int lineFeed = buffer.AsSpan(start, length - start).IndexOf((byte)'\n');
            int count = lineFeed < 0 ? length - start : lineFeed + 1;
            ReadOnlySpan<byte> line = buffer.AsSpan(start, count);
            if (line.ContainsAnyExcept(" \t\r\n"u8))
            {
                entries.Add(OutputLine.Read(line, offset + start, count));
            }

            start += count;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return entries;
    }
}
