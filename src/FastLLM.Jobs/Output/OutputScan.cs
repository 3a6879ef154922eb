using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Reads the records of an output from its begin to its end.</summary>
internal static class OutputScan
{
    private const int BlocksAhead = 2;

    private static ReadOnlySpan<byte> FirstBytes => "{\"id\":\"batch_req_"u8;

    /// <summary>Reads a file once, line by line, without its blank lines. Another run may write to it meanwhile.</summary>
    /// <remarks>Three blocks of 1 MB, or the longest line, bound the memory. A last line without LF counts.</remarks>
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
        // While records are used, the next ones are read on other cores.
        var blocks = new OutputBlocks(file);
        var reading = new Queue<Task<List<OutputEntry>>>();
        while (true)
        {
            while (reading.Count < BlocksAhead && blocks.TryTake(out OutputBlock? block))
            {
                reading.Enqueue(Task.Run(block.Read));
            }

            if (!reading.TryDequeue(out Task<List<OutputEntry>>? next))
            {
                yield break;
            }

            foreach (OutputEntry entry in next.GetAwaiter().GetResult())
            {
                yield return entry;
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
}
