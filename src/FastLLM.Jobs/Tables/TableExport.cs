using System.IO.Compression;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Tables;

/// <summary>OUTPUT where it is not the log itself: made of the log in one go, beside, flushed and renamed. The log stays.</summary>
/// <remarks>It holds nothing that the log does not hold: whatever happens while it is written, the next run writes it again.</remarks>
internal sealed class TableExport(OutputShape shape, string log)
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Writes it.</summary>
    /// <param name="rows">The rows in input order: columns (empty for those that the record carries) and where the record begins in the log.</param>
    /// <param name="columns">The columns that rows have.</param>
    /// <param name="withId">Whether the rows' ids are a column.</param>
    /// <param name="cancellationToken">Ends the reading of rows; the file stays as it was.</param>
    /// <exception cref="IOException">The disk is full or the like; the file stays as it was.</exception>
    public async Task WriteAsync(IAsyncEnumerable<(ReadOnlyMemory<byte> Columns, long Offset)> rows, ColumnNames columns, bool withId, CancellationToken cancellationToken)
    {
        string path = Path.GetFullPath(shape.Path);
        string beside = path + ".tmp";
        File.Delete(beside); // of a killed run
        try
        {
            // Of an input without rows there is no log.
            using SafeFileHandle? records = File.Exists(log) ? File.OpenHandle(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete) : null;
            await WriteAsync(beside, records, rows, columns, withId, cancellationToken).ConfigureAwait(false);
            OutputFile.RefuseLink(path);
            KillPoint.Reached(KillPoint.BeforeRename);
            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }

        DirectorySync.TryFlush(Path.GetDirectoryName(path)!);
    }

    private async Task WriteAsync(
        string path, SafeFileHandle? records, IAsyncEnumerable<(ReadOnlyMemory<byte> Columns, long Offset)> rows, ColumnNames columns, bool withId, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes);
        if (records is not null && !OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file.SafeFileHandle, File.GetUnixFileMode(records)); // answers are no more public here than there
        }

        using (GZipStream? packed = shape.IsPacked ? new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true) : null)
        {
            Stream stream = packed is null ? file : packed;
            RowsWriter? writer = shape.Kind == OutputKind.Lines ? null : new RowsWriter(stream, shape.Kind, columns, withId);
            RecordReader? reader = records is null ? null : new RecordReader(records);
            await foreach ((ReadOnlyMemory<byte> own, long offset) in rows.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                if (reader is null || offset == RowIndex.NoRecord)
                {
                    continue;
                }

                if (writer is null)
                {
                    stream.Write(reader.Read(offset));
                    continue;
                }

                RowOutcome outcome = RowOutcome.Read(reader.Read(offset).ToArray());
                writer.Write(own.IsEmpty ? outcome.Columns : own, outcome);
            }
        }

        file.Flush(flushToDisk: true);
    }
}
