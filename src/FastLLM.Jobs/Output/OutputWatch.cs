using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Detects that something else deleted, moved, replaced, cut or wrote to the output of a run.</summary>
/// <remarks>The open file holds its records wherever it is, also without a name: they are written to a new file at the path.</remarks>
internal sealed class OutputWatch(string path, TimeProvider time)
{
    private const int MaxRecordsBetween = 64;
    private const int MaxTimes = 20; // a program that keeps deleting the file must not make the run copy it indefinitely

    private static readonly TimeSpan s_maxTimeBetween = TimeSpan.FromMilliseconds(100);

    private long _lookedAt = time.GetTimestamp();
    private int _records;
    private int _times;
    private bool _isSaved;

    /// <summary>Gets or sets the callback for what happened, in one line each.</summary>
    public Action<string>? OnDisturbed { get; set; }

    /// <summary>Gets a value indicating whether anything happened.</summary>
    public bool IsDisturbed { get; private set; }

    /// <summary>Determines whether it is time to look, by records and by the clock. Called once for each record.</summary>
    public bool IsDue()
    {
        if (++_records < MaxRecordsBetween && time.GetElapsedTime(_lookedAt) < s_maxTimeBetween)
        {
            return false;
        }

        _records = 0;
        _lookedAt = time.GetTimestamp();
        return true;
    }

    /// <summary>Determines whether the path leads to another file than the open one, or to none.</summary>
    public bool IsElsewhere(SafeFileHandle log) => !FileStatus.IsAt(log, path);

    /// <summary>Creates the folder again if it was deleted or moved, readable by its owner alone.</summary>
    public void KeepFolder()
    {
        string folder = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(folder))
        {
            _ = OperatingSystem.IsWindows()
                ? Directory.CreateDirectory(folder)
                : Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Writes the open file's records to a new file at the path, with the same offsets; what is there now is set aside.</summary>
    /// <remarks>The new file stays open while it takes its place: opened by its path, it could be another one.</remarks>
    /// <param name="log">The open file.</param>
    /// <param name="keepLocked">Throws if another run has the lock. Called once more just before the new file takes its place.</param>
    /// <returns>The new file, open and locked, with all bytes of the old one. It may have been deleted or moved already.</returns>
    /// <exception cref="IOException">The file cannot be written, or disappears again and again.</exception>
    public SafeFileHandle WriteAgain(SafeFileHandle log, Action keepLocked)
    {
        IsDisturbed = true;
        while (++_times <= MaxTimes)
        {
            try
            {
                KeepFolder();
                return WriteOnce(log, keepLocked);
            }
            catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
            {
                // The folder was moved meanwhile, too.
            }
        }

        throw new IOException("it is deleted or replaced again and again while the run writes it.");
    }

    /// <summary>Copies the open file to the first free name of <c>.bak</c>, <c>.bak2</c> …, once: another run has taken its
    /// place.</summary>
    /// <exception cref="IOException">It cannot be copied.</exception>
    public void SaveAside(SafeFileHandle log)
    {
        if (_isSaved || !IsElsewhere(log))
        {
            return;
        }

        (_isSaved, IsDisturbed) = (true, true);
        using FileStream copy = PlainFile.CreateNumbered(path + ".bak");
        CopyTo(copy, log);
        OnDisturbed?.Invoke($"{path}: another run writes another file there. The records of this run are in {copy.Name}.");
    }

    /// <summary>Reports that the file is shorter or longer than the run left it.</summary>
    public void SayLength(long length, long expected)
    {
        IsDisturbed = true;
        OnDisturbed?.Invoke(length < expected
            ? FormattableString.Invariant($"{path}: it was cut to {length:N0} of {expected:N0} bytes while the run writes it. ")
                + "At the end, lost records are looked for in the cache."
            : FormattableString.Invariant($"{path}: something else wrote {length - expected:N0} bytes to it while the run writes it."));
    }

    /// <summary>Copies an output, as private as it is, and flushes the copy to the disk.</summary>
    public static void CopyTo(FileStream copy, SafeFileHandle log)
    {
        byte[] buffer = new byte[1 << 20];
        using var summed = new SummedFile(copy);
        for (long at = 0; RandomAccess.Read(log, buffer, at) is > 0 and var read; at += read)
        {
            summed.Write(buffer, 0, read);
        }

        PlainFile.CopyMode(log, copy.SafeFileHandle);
        summed.FlushAndCheck();
    }

    private SafeFileHandle WriteOnce(SafeFileHandle log, Action keepLocked)
    {
        string beside = path + OutputPath.Unfinished;
        OutputPath.DeleteUnfinished(beside);
        string? aside;
        FileStream copy = PlainFile.CreateNew(beside, FileShare.ReadWrite | FileShare.Delete, isPrivate: true);
        try
        {
            CopyTo(copy, log);
            if (!DataLock.TryTake(copy.SafeFileHandle))
            {
                throw new OutputInUseException(path);
            }

            keepLocked();
            aside = OutputPath.SetAside(path);
            File.Move(beside, path);
        }
        catch
        {
            DataLock.Release(copy.SafeFileHandle);
            copy.Dispose();
            File.Delete(beside);
            throw;
        }

        DirectorySync.TryFlush(Path.GetDirectoryName(path)!);
        OnDisturbed?.Invoke(aside is null
            ? $"{path}: it was deleted or moved while the run writes it. All of its records were written again."
            : $"{path}: it was replaced while the run writes it. All of its records were written again; the other file is {aside} now.");
        return copy.SafeFileHandle;
    }
}
