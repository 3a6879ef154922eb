using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>OUTPUT: a log of records while a run goes on, sorted when it is done.</summary>
/// <remarks>
/// <para>Each record is one write at the end, so that a killed process leaves whole records and at most one torn one. Nothing is
/// kept in memory. The file is made by the first record: a run that is refused leaves none.</para>
/// <para><see cref="Append"/> may be called by several threads; nothing else while another call runs.</para>
/// </remarks>
internal sealed class OutputFile : IDisposable
{
    private const int ChunkBytes = 1 << 20;
    private const byte LineFeed = (byte)'\n';

    private readonly Lock _gate = new();
    private readonly OutputLock _lock;
    private SafeFileHandle? _log;
    private long _end;

    private OutputFile(string path, OutputLock outputLock)
    {
        Path = path;
        _lock = outputLock;
    }

    /// <summary>Writes a record at an offset; replaced by tests that want a full disk.</summary>
    internal delegate void RecordWriter(SafeFileHandle file, ReadOnlySpan<byte> record, long offset);

    /// <summary>Gets the file's full path.</summary>
    public string Path { get; }

    internal RecordWriter Writer { get; set; } = RandomAccess.Write;

    /// <summary>Takes an output file for this run alone. Nothing is written to it yet, and it need not exist.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="OutputInUseException">Another run writes it.</exception>
    /// <exception cref="IOException">It is a directory or a symbolic link, or cannot be made where it should be.</exception>
    public static OutputFile Open(string path)
    {
        path = CheckPlace(path);
        return new OutputFile(path, OutputLock.Take(path));
    }

    /// <summary>The full path of a file that may be written, which need not exist.</summary>
    /// <exception cref="IOException">It is a directory or a symbolic link, or cannot be made where it should be.</exception>
    public static string CheckPlace(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(path) || System.IO.Path.EndsInDirectorySeparator(path))
        {
            throw new IOException($"{path} is a directory. Name a file in it.");
        }

        RefuseLink(path);
        RefuseDevice(path);
        string folder = System.IO.Path.GetDirectoryName(path)!;
        return Directory.Exists(folder)
            ? path
            : throw new DirectoryNotFoundException($"The folder {folder} does not exist. Make it, or name a file elsewhere.");
    }

    /// <summary>Puts the file aside under a name that is free: <c>.bak</c>, <c>.bak2</c> …; paid answers are never overwritten.</summary>
    public void SetAside() => SetAside(Path);

    /// <summary>Puts a file aside, if it is there.</summary>
    public static void SetAside(string path)
    {
        for (var n = 1; File.Exists(path); n++)
        {
            string aside = n == 1 ? path + ".bak" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{path}.bak{n}");
            if (!File.Exists(aside))
            {
                File.Move(path, aside);
            }
        }
    }

    /// <summary>Says whether the file is, or may be, an output: it is empty, holds a record, or begins like one that was torn.</summary>
    public bool IsOutput()
    {
        if (!File.Exists(Path) || Scan().Any(entry => !entry.IsDamaged))
        {
            return true;
        }

        Span<byte> begin = stackalloc byte[FirstBytes.Length];
        using SafeFileHandle file = File.OpenHandle(Path);
        begin = begin[..RandomAccess.Read(file, begin, 0)];
        return FirstBytes.StartsWith(begin) || !begin.ContainsAnyExcept((byte)0);
    }

    /// <summary>Makes the file end with a whole record. To be called before anything is read or appended.</summary>
    /// <returns>
    /// How many bytes were cut off: what follows the last LF, also zeros that a power loss left. They stand in a file of the same name
    /// with <c>.torn</c>, flushed before the cut. A whole record that lacks only its LF is given one instead, and counts 0.
    /// </returns>
    public long RepairTornTail()
    {
        if (!File.Exists(Path))
        {
            return 0;
        }

        RefuseLink(Path);
        using SafeFileHandle file = File.OpenHandle(Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        return RepairTornTail(file);
    }

    /// <summary>Reads the file once, line by line; blank lines are passed over.</summary>
    /// <remarks>Memory is bounded by the longest line. A last line without LF is read like any other.</remarks>
    public IEnumerable<OutputEntry> Scan() => ScanFile(Path);

    /// <summary>The same for a file that is not this run's.</summary>
    public static IEnumerable<OutputEntry> ScanFile(string path)
    {
        if (!File.Exists(path))
        {
            yield break;
        }

        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
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
                int bom = offset + start == 0 && buffer.AsSpan(0, next).StartsWith("\uFEFF"u8) ? "\uFEFF"u8.Length : 0;
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

    /// <summary>Appends a record with one write.</summary>
    /// <param name="line">The record, with its LF.</param>
    /// <returns>Where it begins.</returns>
    /// <exception cref="IOException">The disk is full or the like. What was written of the record has been taken back, and those before it stand.</exception>
    public long Append(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            SafeFileHandle log = _log ??= OpenLog();
            long offset = _end;
            try
            {
                if (KillPoint.IsArmed(KillPoint.MidOutputLine))
                {
                    Writer(log, line[..(line.Length / 2)], offset);
                    KillPoint.Reached(KillPoint.MidOutputLine);
                }

                Writer(log, line, offset);
            }
            catch (IOException)
            {
                TakeBack(log, offset);
                throw;
            }

            _end += line.Length;
            return offset;
        }
    }

    /// <summary>Puts the file in input order: written beside, flushed, renamed over it. Offsets known before are void afterwards.</summary>
    /// <remarks>
    /// Records that no row names are dropped. Where the file already is as it should be, it is flushed and nothing else. A sort that fails or is killed
    /// leaves the file as it was.
    /// </remarks>
    /// <param name="rows">How many rows there are.</param>
    /// <param name="recordOf">Where a row's record begins, or <see cref="RowIndex.NoRecord"/>. It is asked several times.</param>
    /// <exception cref="IOException">The disk is full or the like.</exception>
    public void Sort(int rows, Func<int, long> recordOf)
    {
        if (!File.Exists(Path))
        {
            return;
        }

        string sorted = Path + ".tmp";
        using (SafeFileHandle log = File.OpenHandle(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete))
        {
            if (IsSorted(log, rows, recordOf))
            {
                if (_log is not null)
                {
                    RandomAccess.FlushToDisk(_log);
                }

                return;
            }

            File.Delete(sorted); // of a killed run
            try
            {
                WriteSorted(log, sorted, rows, recordOf);
            }
            catch
            {
                File.Delete(sorted);
                throw;
            }
        }

        _log?.Dispose();
        _log = null;
        RefuseLink(Path);
        KillPoint.Reached(KillPoint.BeforeRename);
        File.Move(sorted, Path, overwrite: true);
        KillPoint.Reached(KillPoint.AfterRename);

        // Where this fails, a power loss may bring the log back, which has the same records.
        DirectorySync.TryFlush(System.IO.Path.GetDirectoryName(Path)!);
    }

    public void Dispose()
    {
        _log?.Dispose();
        _lock.Dispose();
    }

    private static ReadOnlySpan<byte> FirstBytes => "{\"id\":\"batch_req_"u8;

    private static void RefuseDevice(string path)
    {
        if (!OperatingSystem.IsWindows() && path.StartsWith("/dev/", StringComparison.Ordinal))
        {
            throw new IOException($"{path} is no regular file. Name one, or write to standard output with -o -.");
        }
    }

    /// <summary>Refuses to write through a symbolic link: it would be replaced by the sort, or lead to a file that nobody named.</summary>
    internal static void RefuseLink(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new IOException($"{path} is a symbolic link to {target}. Name the file itself.");
        }
    }

    private SafeFileHandle OpenLog()
    {
        RefuseLink(Path);
        SafeFileHandle log = File.OpenHandle(Path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            RepairTornTail(log); // whoever forgot it must not glue two records together
            _end = RandomAccess.GetLength(log);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    private static void TakeBack(SafeFileHandle log, long end)
    {
        try
        {
            RandomAccess.SetLength(log, end);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The first failure is the one to tell. What stays is a torn tail: overwritten by the next record, or cut by the next run.
        }
    }

    private long RepairTornTail(SafeFileHandle file)
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

        string torn = Path + ".torn";
        RefuseLink(torn);
        using (SafeFileHandle beside = File.OpenHandle(torn, FileMode.OpenOrCreate, FileAccess.ReadWrite))
        {
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(beside, File.GetUnixFileMode(file)); // answers are no more public there than here
            }

            long end = RandomAccess.GetLength(beside);
            if (end != LastLineEnd(beside, end))
            {
                RandomAccess.Write(beside, "\n"u8, end++); // what an earlier run cut off
            }

            Copy(file, whole, length, beside, end);
            RandomAccess.FlushToDisk(beside);
        }

        RandomAccess.SetLength(file, whole);
        return length - whole;
    }

    private static bool IsRecord(SafeFileHandle file, long start, long end)
    {
        if (end - start > Array.MaxLength)
        {
            return false;
        }

        // A torn line lacks its brace, or is followed by zeros: seen without reading all of it.
        Span<byte> last = stackalloc byte[1];
        if (RandomAccess.Read(file, last, end - 1) != 1 || last[0] is not ((byte)'}' or (byte)'\r' or (byte)' '))
        {
            return false;
        }

        byte[] line = new byte[end - start];
        ReadExactly(file, line, start);
        ReadOnlySpan<byte> json = start == 0 && line.AsSpan().StartsWith("\uFEFF"u8) ? line.AsSpan("\uFEFF"u8.Length) : line;
        return !OutputLine.Read(json, start, line.Length).IsDamaged;
    }

    // Where the byte after the last LF is; 0 where there is none.
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
        byte[] buffer = new byte[(int)Math.Min(end - start, ChunkBytes)];
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
                throw new EndOfStreamException("The file was cut while it was read.");
            }

            buffer = buffer[read..];
            offset += read;
        }
    }

    private static int Larger(int length) => length < Array.MaxLength
        ? (int)Math.Min(2L * length, Array.MaxLength)
        : throw new IOException("A line is longer than 2 GB: this is no output file.");

    // Ascending offsets of lines, as many as there are lines: then they are all of them.
    private static bool IsSorted(SafeFileHandle log, int rows, Func<int, long> recordOf)
    {
        long last = -1;
        long records = 0;
        for (int row = 0; row < rows; row++)
        {
            long offset = recordOf(row);
            if (offset == RowIndex.NoRecord)
            {
                continue;
            }

            if (offset <= last)
            {
                return false;
            }

            last = offset;
            records++;
        }

        byte[] buffer = new byte[ChunkBytes];
        long lines = 0;
        byte lastByte = LineFeed;
        for (long at = 0; RandomAccess.Read(log, buffer, at) is > 0 and int read; at += read)
        {
            lines += buffer.AsSpan(0, read).Count(LineFeed);
            lastByte = buffer[read - 1];
            if (lines > records)
            {
                return false;
            }
        }

        return lines == records && lastByte == LineFeed;
    }

    private static void WriteSorted(SafeFileHandle log, string path, int rows, Func<int, long> recordOf)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = ChunkBytes };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // never wider than the file that it replaces
        }

        using var sorted = new FileStream(path, options);
        var reader = new RecordReader(log);
        for (int row = 0; row < rows; row++)
        {
            long offset = recordOf(row);
            if (offset != RowIndex.NoRecord)
            {
                sorted.Write(reader.Read(offset));
            }

            if (row == rows / 2 && KillPoint.IsArmed(KillPoint.DuringCompaction))
            {
                sorted.Flush();
                KillPoint.Reached(KillPoint.DuringCompaction);
            }
        }

        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(sorted.SafeFileHandle, File.GetUnixFileMode(log));
        }

        sorted.Flush(flushToDisk: true);
    }
}
