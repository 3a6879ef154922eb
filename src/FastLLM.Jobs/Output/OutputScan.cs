using FastLLM.Json;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Reads the records of an output from its begin to its end.</summary>
internal static class OutputScan
{
    private const int ChunkBytes = 1 << 20;
    private const byte LineFeed = (byte)'\n';

    private static ReadOnlySpan<byte> FirstBytes => "{\"id\":\"batch_req_"u8;

    /// <summary>Reads a file once, line by line, without its blank lines. Another run may write to it meanwhile.</summary>
    /// <remarks>The longest line bounds the memory. A last line without LF counts.</remarks>
    /// <returns>The records and the damaged lines; none if the file does not exist.</returns>
    public static IEnumerable<OutputEntry> Read(string path)
    {
        if (!File.Exists(path))
        {
            yield break;
        }

        using SafeFileHandle file = OpenForReading(path, FileOptions.SequentialScan);
        foreach (OutputEntry entry in Read(file))
        {
            yield return entry;
        }
    }

    /// <summary>Reads an open file once, line by line, without its blank lines.</summary>
    public static IEnumerable<OutputEntry> Read(SafeFileHandle file)
    {
        byte[] buffer = new byte[ChunkBytes];
        long offset = 0; // of the first byte in the buffer
        int end = 0;
        int scanned = 0;
        while (true)
        {
            int read = RandomAccess.Read(file, buffer.AsSpan(end), offset + end);
            end += read;
            int start = 0;
            while (true)
            {
                int lineFeed = buffer.AsSpan(scanned, end - scanned).IndexOf(LineFeed);
                if (lineFeed < 0 && (read > 0 || start == end))
                {
                    break;
                }

                int next = lineFeed < 0 ? end : scanned + lineFeed + 1;
                int bom = offset + start == 0 ? ByteOrderMark.LengthIn(buffer.AsSpan(0, next)) : 0;
                if (buffer.AsSpan(start, next - start).ContainsAnyExcept(" \t\r\n"u8))
                {
                    yield return OutputLine.Read(buffer.AsSpan(start + bom, next - start - bom), offset + start + bom, next - start - bom);
                }

                start = scanned = next;
            }

            if (read == 0)
            {
                yield break;
            }

            buffer.AsSpan(start, end - start).CopyTo(buffer);
            offset += start;
            end -= start;
            scanned = end;
            if (end == buffer.Length)
            {
                Array.Resize(ref buffer, Larger(end));
            }
        }
    }

    /// <summary>Refuses a file that is not the output of a run: it is not empty, holds no record, and does not begin like a torn
    /// one.</summary>
    /// <exception cref="IOException">The file is not the output of a run.</exception>
    public static void RefuseOther(string path)
    {
        if (!File.Exists(path) || Read(path).Any(entry => !entry.IsDamaged))
        {
            return;
        }

        Span<byte> begin = stackalloc byte[FirstBytes.Length];
        using SafeFileHandle file = OpenForReading(path);
        begin = begin[..RandomAccess.Read(file, begin, 0)];
        if (!FirstBytes.StartsWith(begin) && begin.ContainsAnyExcept((byte)0))
        {
            throw new IOException($"{path} exists and is not the output of a run. Name another file, or add --fresh to set it aside.");
        }
    }

    /// <summary>Opens an output that this or another run may append to, or replace with its sorted form.</summary>
    public static SafeFileHandle OpenForReading(string path, FileOptions options = FileOptions.None) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, options);

    private static int Larger(int length) => length < Array.MaxLength
        ? (int)Math.Min(2L * length, Array.MaxLength)
        : throw new IOException("A line is longer than 2 GB: the file is not the output of a run.");
}
