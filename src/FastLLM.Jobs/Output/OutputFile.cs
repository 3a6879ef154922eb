using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Writes an output: a log of records during a run, sorted when the job is done.</summary>
/// <remarks>
/// <para>Each record is one write at the end, so that a killed process leaves whole records and at most one torn record. Memory holds no
/// records.
/// The first record creates the file: a run that is refused leaves none.</para>
/// <para>Several threads may call <see cref="Append"/> at once; every other member needs exclusive use.</para>
/// </remarks>
internal sealed class OutputFile : IDisposable
{
    private readonly Lock _gate = new();
    private readonly OutputLock _lock;
    private SafeFileHandle? _log;
    private long _end;

    private OutputFile(string path, OutputLock outputLock)
    {
        Path = path;
        _lock = outputLock;
    }

    /// <summary>Writes a record at an offset; tests replace it to simulate a full disk.</summary>
    internal delegate void RecordWriter(SafeFileHandle file, ReadOnlySpan<byte> record, long offset);

    /// <summary>Gets the file's full path.</summary>
    public string Path { get; }

    internal RecordWriter Writer { get; set; } = RandomAccess.Write;

    /// <summary>Locks an output for this run. Writes nothing to it; it need not exist.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="OutputInUseException">Another run is writing it.</exception>
    /// <exception cref="IOException">It is a directory or a symbolic link, or its folder does not exist.</exception>
    public static OutputFile Open(string path)
    {
        path = OutputPath.Check(path);
        return new OutputFile(path, OutputLock.Take(path));
    }

    /// <inheritdoc cref="TornTail.Repair"/>
    public long RepairTornTail()
    {
        if (!File.Exists(Path))
        {
            return 0;
        }

        OutputPath.RefuseLink(Path);
        using SafeFileHandle file = File.OpenHandle(Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        return TornTail.Repair(file, Path);
    }

    /// <summary>Appends a record with one write.</summary>
    /// <param name="line">The record, with its LF.</param>
    /// <returns>The offset of the record.</returns>
    /// <exception cref="IOException">The disk is full. The record is taken back; the records before it stay.</exception>
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

    /// <summary>Puts the file in input order: writes a sorted file beside it, flushes that and renames it. Earlier offsets are void
    /// afterwards.</summary>
    /// <remarks>Drops records that belong to no row. A sorted file is only flushed. A sort that fails or is killed leaves the file
    /// unchanged.</remarks>
    /// <param name="rows">The number of rows.</param>
    /// <param name="recordOf">Gets the offset of a row's record, or <see cref="Planning.RowIndex.NoRecord"/>. Called several times for a
    /// row.</param>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Sort(int rows, Func<int, long> recordOf)
    {
        if (!File.Exists(Path))
        {
            return;
        }

        string sorted = Path + ".tmp";
        using (SafeFileHandle log = OutputScan.OpenForReading(Path))
        {
            var sort = new OutputSort(log, rows, recordOf);
            if (sort.IsSorted())
            {
                if (_log is not null)
                {
                    RandomAccess.FlushToDisk(_log);
                }

                return;
            }

            sort.WriteTo(sorted);
        }

        _log?.Dispose();
        _log = null;
        OutputPath.RefuseLink(Path);
        KillPoint.Reached(KillPoint.BeforeRename);
        File.Move(sorted, Path, overwrite: true);
        KillPoint.Reached(KillPoint.AfterRename);

        // If this fails, a power loss may bring the log back, which holds the same records.
        DirectorySync.TryFlush(System.IO.Path.GetDirectoryName(Path)!);
    }

    public void Dispose()
    {
        _log?.Dispose();
        _lock.Dispose();
    }

    private SafeFileHandle OpenLog()
    {
        OutputPath.RefuseLink(Path);
        SafeFileHandle log = File.OpenHandle(Path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            TornTail.Repair(log, Path); // a caller that did not repair must not join two records
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
            // The first failure is the one to report. A torn tail stays: the next record overwrites it, or the next run cuts it off.
        }
    }
}
