using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Writes an output: a log of records during a run, sorted when the job is done.</summary>
/// <remarks>
/// <para>Each record is one write at the end, so that a killed process leaves whole records and at most one torn record. Memory holds no
/// records. The first record creates the file: a run that is refused leaves none.</para>
/// <para>Several threads may call <see cref="Append"/> at once; every other member needs exclusive use.</para>
/// </remarks>
internal sealed class OutputFile : IDisposable
{
    private readonly Lock _gate = new();
    private readonly OutputLock _lock;
    private readonly OutputWatch _watch;
    private SafeFileHandle? _log;
    private bool _isRepaired;
    private long _end;

    private OutputFile(string path, OutputLock outputLock, TimeProvider time)
    {
        Path = path;
        _lock = outputLock;
        _watch = new OutputWatch(path, time);
        Reserve = new OutputReserve(path);
    }

    /// <summary>Writes a record at an offset; tests replace it to simulate a full disk.</summary>
    internal delegate void RecordWriter(SafeFileHandle file, ReadOnlySpan<byte> record, long offset);

    /// <summary>Gets the file's full path.</summary>
    public string Path { get; }

    /// <summary>Gets or sets the callback for what happened to the file while it was written, in one line each.</summary>
    public Action<string>? OnDisturbed { get => _watch.OnDisturbed; set => _watch.OnDisturbed = value; }

    /// <summary>Gets a value indicating whether something else than this run changed the file.</summary>
    public bool IsDisturbed => _watch.IsDisturbed;

    /// <summary>Gets the disk space that is released for records when the disk is full.</summary>
    public OutputReserve Reserve { get; }

    internal RecordWriter Writer { get; set; } = RandomAccess.Write;

    /// <summary>Locks an output for this run. Writes nothing to it; it need not exist.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="time">The clock by which the file is looked at now and then.</param>
    /// <exception cref="OutputInUseException">Another run is writing it.</exception>
    /// <exception cref="IOException">It is a directory, a device or a symbolic link, or its folder does not exist.</exception>
    public static OutputFile Open(string path, TimeProvider? time = null)
    {
        path = OutputPath.Check(path);
        var output = new OutputFile(path, OutputLock.Take(path), time ?? TimeProvider.System);
        try
        {
            output._log = File.Exists(path) ? output.OpenFile() : null;
            return output;
        }
        catch (UnauthorizedAccessException)
        {
            return output; // a run that is to write says so; one that sets it aside can
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="TornTail.Repair"/>
    public long RepairTornTail()
    {
        if (_log is null && !File.Exists(Path))
        {
            return 0;
        }

        _log ??= OpenFile();
        return RepairTail(_log);
    }

    /// <summary>Renames the file: the job starts anew.</summary>
    public void SetAside()
    {
        Close();
        OutputPath.SetAside(Path);
    }

    /// <summary>Appends a record with one write. When the disk is full, the reserve is released for it and for those that follow.</summary>
    /// <param name="line">The record, with its LF.</param>
    /// <returns>The offset of the record.</returns>
    /// <exception cref="IOException">The disk is full, and the reserve too. The record is taken back; the records before it
    /// stay.</exception>
    public long Append(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            SafeFileHandle log = LogToWrite();
            long offset = _end;
            try
            {
                Write(log, line, offset);
            }
            catch (IOException e) when (Reserve.TryRelease(e))
            {
                Write(log, line, offset);
            }

            _end += line.Length;
            return offset;
        }
    }

    /// <summary>Puts the file back in its place if it was deleted, moved or replaced, and opens it for reading.</summary>
    /// <returns>The file; <see langword="null"/> if there is none.</returns>
    /// <exception cref="IOException">It cannot be put back.</exception>
    public SafeFileHandle? Settle()
    {
        if (_log is not null)
        {
            KeepLocked();
            KeepInPlace();
        }

        return _log ?? (File.Exists(Path) ? _log = OpenFile() : null);
    }

    /// <summary>Puts the file in input order: writes a sorted file beside it, flushes that and renames it. Earlier offsets are void
    /// afterwards.</summary>
    /// <remarks>Drops records that belong to no row. A sorted file is only flushed. A sort that fails or is killed leaves the file
    /// unchanged.</remarks>
    /// <param name="rows">The number of rows.</param>
    /// <param name="recordOf">Gets the offset of a row's record, or <see cref="Planning.RowIndex.NoRecord"/>. Called several times for a
    /// row.</param>
    /// <param name="check">Determines whether a record is the row's; <see langword="null"/>: all are.</param>
    /// <returns>The file as it is now; <see langword="null"/> if there is none, or the system does not say.</returns>
    /// <exception cref="IOException">The disk is full, or a record is not the row's.</exception>
    public FileStatus? Sort(int rows, Func<int, long> recordOf, RecordCheck? check = null)
    {
        if (Settle() is not { } log)
        {
            return null; // no row has a record
        }

        var sort = new OutputSort(log, rows, recordOf, check);
        if (sort.IsSorted())
        {
            RandomAccess.FlushToDisk(log);
            return FileStatus.Of(log);
        }

        string sorted = Path + OutputPath.Unfinished;
        FileStatus? written = sort.WriteTo(sorted);
        Close();
        try
        {
            OutputPath.RefuseLink(Path);
            KillPoint.Reached(KillPoint.BeforeRename);
            File.Move(sorted, Path, overwrite: true);
        }
        catch
        {
            File.Delete(sorted); // a mounted file, for example, cannot be replaced
            throw;
        }

        KillPoint.Reached(KillPoint.AfterRename);

        // If this fails, a power loss may bring the log back, which holds the same records.
        DirectorySync.TryFlush(System.IO.Path.GetDirectoryName(Path)!);
        if (written is { } expected && !expected.IsUnchangedAt(Path))
        {
            throw new IOException("it was changed as soon as it was sorted.");
        }

        return written;
    }

    public void Dispose()
    {
        Reserve.Dispose();
        Close();
        _lock.Dispose();
    }

    private void Write(SafeFileHandle log, ReadOnlySpan<byte> line, long offset)
    {
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
            TornTail.TakeBack(log, offset);
            throw;
        }
    }

    private void Close()
    {
        if (_log is not null)
        {
            DataLock.Release(_log);
            _log.Dispose();
            _log = null;
        }
    }

    private SafeFileHandle LogToWrite()
    {
        if (_log is null || !_isRepaired)
        {
            RepairOrCreate();
        }
        else if (_watch.IsDue())
        {
            KeepLocked();
            KeepInPlace();
        }
        else if (RandomAccess.GetLength(_log) != _end)
        {
            KeepInPlace();
        }

        return _log!;
    }

    // A caller that did not repair must not join two records.
    private void RepairOrCreate()
    {
        if (_log is null)
        {
            _watch.KeepFolder();
            _log = _lock.TryRenew() ? OpenFile() : throw new OutputInUseException(Path);
        }

        RepairTail(_log);
    }

    private long RepairTail(SafeFileHandle log)
    {
        _isRepaired = true;
        long cut = TornTail.Repair(log, Path);
        _end = RandomAccess.GetLength(log);
        return cut;
    }

    // A run that was started after the lock file had been deleted is refused by the lock on the output itself, and gives the other one
    // back.
    private void KeepLocked()
    {
        _watch.KeepFolder();
        bool isLocked = _lock.TryRenew();
        if ((!isLocked && !DataLock.IsSupported) || (_watch.IsElsewhere(_log!) && (!isLocked || DataLock.IsTaken(Path))))
        {
            _watch.SaveAside(_log!);
            throw new OutputInUseException(Path);
        }
    }

    private void KeepInPlace()
    {
        SafeFileHandle log = _log!;
        while (_watch.IsElsewhere(log))
        {
            SafeFileHandle again = _watch.WriteAgain(log, KeepLocked);
            DataLock.Release(log);
            log.Dispose();
            _log = log = again;
        }

        if (_isRepaired && RandomAccess.GetLength(log) is var length && length != _end)
        {
            _watch.SayLength(length, _end);
            RepairTail(log);
        }
    }

    private SafeFileHandle OpenFile()
    {
        SafeFileHandle log = PlainFile.OpenOrCreate(Path, FileShare.ReadWrite | FileShare.Delete).SafeFileHandle;
        if (DataLock.TryTake(log))
        {
            return log;
        }

        log.Dispose();
        throw new OutputInUseException(Path);
    }
}
