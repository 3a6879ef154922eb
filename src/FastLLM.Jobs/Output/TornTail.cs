using FastLLM.Diagnostics;
using FastLLM.Json;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Cuts off a last line that a killed process or a power loss left unfinished.</summary>
internal static class TornTail
{
    private const int CopyBytes = 1 << 20;
    private const byte LineFeed = (byte)'\n';

    /// <summary>Makes the file end with a whole record. Call it before the file is read or appended to.</summary>
    /// <param name="file">The output, open for reading and writing.</param>
    /// <param name="path">Its path; the cut bytes are appended to the file of this name with <c>.torn</c>, and flushed before the
    /// cut.</param>
    /// <returns>The number of bytes cut off: all that follow the last LF, including zeros that a power loss left. 0 for a whole record that
    /// lacks only its LF, which is added.</returns>
    public static long Repair(SafeFileHandle file, string path)
    {
        long length = RandomAccess.GetLength(file);
        long whole = LastLineEnd(file, length);
        if (whole == length)
        {
            return 0;
        }

        if (IsRecord(file, whole, length))
        {
            RandomAccess.Write(file, "\n"u8, length);
            return 0;
        }

        using (FileStream torn = PlainFile.OpenOrCreate(path + ".torn", FileShare.Read, isPrivate: true))
        {
            SafeFileHandle beside = torn.SafeFileHandle;
            PlainFile.CopyMode(file, beside);
            long end = RandomAccess.GetLength(beside);
            if (end != LastLineEnd(beside, end))
            {
                RandomAccess.Write(beside, "\n"u8, end++); // ends what an earlier run cut off
            }

            Copy(file, whole, length, beside, end);
            RandomAccess.FlushToDisk(beside);
        }

        RandomAccess.SetLength(file, whole);
        return length - whole;
    }

    /// <summary>Cuts off a record that could not be written whole.</summary>
    public static void TakeBack(SafeFileHandle log, long end)
    {
        try
        {
            RandomAccess.SetLength(log, end);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The first failure is the one to report. A torn tail stays: the next record overwrites it, or the next run cuts it off.
        }
    }

    private static bool IsRecord(SafeFileHandle file, long start, long end)
    {
        if (end - start > Array.MaxLength)
        {
            return false;
        }

        // A torn line lacks its brace, or zeros follow it: the last byte shows that without reading the line.
        Span<byte> last = stackalloc byte[1];
        if (RandomAccess.Read(file, last, end - 1) != 1 || last[0] is not ((byte)'}' or (byte)'\r' or (byte)' '))
        {
            return false;
        }

        byte[] line = new byte[end - start];
        ReadExactly(file, line, start);
        ReadOnlySpan<byte> json = start == 0 ? line.AsSpan(ByteOrderMark.LengthIn(line)) : line;
        return !OutputLine.Read(json, start, line.Length).IsDamaged;
    }

    // The offset of the byte after the last LF; 0 without one.
    private static long LastLineEnd(SafeFileHandle file, long length)
    {
        byte[] buffer = new byte[(int)Math.Min(length, 64 * 1024)];
        for (long end = length; end > 0;)
        {
            Span<byte> chunk = buffer.AsSpan(0, (int)Math.Min(end, buffer.Length));
            end -= chunk.Length;
            ReadExactly(file, chunk, end);
            int at = chunk.LastIndexOf(LineFeed);
            if (at >= 0)
            {
                return end + at + 1;
            }
        }

        return 0;
    }

    private static void Copy(SafeFileHandle source, long start, long end, SafeFileHandle destination, long offset)
    {
        byte[] buffer = new byte[(int)Math.Min(end - start, CopyBytes)];
        while (start < end)
        {
            Span<byte> chunk = buffer.AsSpan(0, (int)Math.Min(end - start, buffer.Length));
            ReadExactly(source, chunk, start);
            RandomAccess.Write(destination, chunk, offset);
            start += chunk.Length;
            offset += chunk.Length;
        }
    }

    private static void ReadExactly(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        while (!buffer.IsEmpty)
        {
            int read = RandomAccess.Read(file, buffer, offset);
            if (read == 0)
            {
                throw new EndOfStreamException("The file became shorter while it was read.");
            }

            buffer = buffer[read..];
            offset += read;
        }
    }
}
