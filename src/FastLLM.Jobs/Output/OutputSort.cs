using FastLLM.Diagnostics;
using FastLLM.Jobs.Planning;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Determines whether a record, read from the output, is the one of a row.</summary>
internal delegate bool RecordCheck(int row, ReadOnlySpan<byte> record);

/// <summary>Writes the records of an output in input order.</summary>
/// <param name="log">The output as it is.</param>
/// <param name="rows">The number of rows.</param>
/// <param name="recordOf">Gets the offset of a row's record, or <see cref="RowIndex.NoRecord"/>. Called several times for a row.</param>
/// <param name="check">Determines whether a record is the row's; <see langword="null"/>: all are.</param>
internal sealed class OutputSort(SafeFileHandle log, int rows, Func<int, long> recordOf, RecordCheck? check = null)
{
    private const int ChunkBytes = 1 << 20;
    private const byte LineFeed = (byte)'\n';

    /// <summary>Determines whether the output holds exactly the records of the rows, in their order.</summary>
    public bool IsSorted()
    {
        // Ascending offsets, as many as the file has lines: then they are all of its lines.
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

    /// <summary>Writes the rows' records to a new file and flushes it to the disk.</summary>
    /// <returns>The new file.</returns>
    /// <exception cref="IOException">The disk is full, or a record is missing or not the row's; the file is deleted.</exception>
    public FileStatus? WriteTo(string path)
    {
        OutputPath.DeleteUnfinished(path);
        try
        {
            return Write(path);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    private FileStatus? Write(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = ChunkBytes };
        options.Share = FileShare.None;
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // never wider than the file that it replaces
        }

        using var file = new FileStream(path, options);
        using var sorted = new SummedFile(file);
        var reader = new RecordReader(log);
        for (int row = 0; row < rows; row++)
        {
            long offset = recordOf(row);
            if (offset != RowIndex.NoRecord)
            {
                ReadOnlySpan<byte> record = reader.Read(offset);
                if (check?.Invoke(row, record) == false)
                {
                    throw new IOException("The output file was changed while it was sorted.");
                }

                sorted.Write(record);
            }

            if (row == rows / 2 && KillPoint.IsArmed(KillPoint.DuringCompaction))
            {
                sorted.Flush();
                KillPoint.Reached(KillPoint.DuringCompaction);
            }
        }

        PlainFile.CopyMode(log, file.SafeFileHandle);
        sorted.FlushAndCheck();
        return FileStatus.Of(file.SafeFileHandle);
    }
}
