using System.IO.Compression;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Tables;

/// <summary>Makes an output from its log: writes a new file, flushes it and renames it. The log stays.</summary>
/// <remarks>The file holds nothing that the log does not hold: if the export fails or is killed, the next run makes the file
/// again.</remarks>
/// <param name="shape">The file and its format.</param>
/// <param name="columns">The columns of the rows.</param>
/// <param name="index">The rows and the offsets of their records in the log.</param>
/// <param name="withId">Whether the rows' ids are a column.</param>
/// <param name="answers">Adds the members of answers as columns, if they have a form.</param>
internal sealed class TableExport(OutputShape shape, ColumnNames columns, RowIndex index, bool withId, AnswerColumns? answers = null)
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Writes the file.</summary>
    /// <param name="rows">The rows in input order: their columns (empty if the record carries them) and their places.</param>
    /// <param name="cancellationToken">Cancels the export; an earlier file stays as it is.</param>
    /// <exception cref="IOException">The disk is full, or the log does not hold the rows' records; an earlier file stays as it
    /// is.</exception>
    public async Task WriteAsync(IAsyncEnumerable<(ReadOnlyMemory<byte> Columns, int Place)> rows, CancellationToken cancellationToken)
    {
        string path = Path.GetFullPath(shape.Path);
        string beside = path + ".tmp";
        File.Delete(beside); // of a killed run
        try
        {
            // An input without rows has no log.
            using SafeFileHandle? log = File.Exists(shape.Log) ? OutputScan.OpenForReading(shape.Log) : null;
            FileStatus? written = await WriteAsync(beside, log, rows, cancellationToken).ConfigureAwait(false);
            OutputPath.RefuseLink(path);
            KillPoint.Reached(KillPoint.BeforeRename);
            File.Move(beside, path, overwrite: true);
            if (written is { } expected && !expected.IsUnchangedAt(path))
            {
                throw new IOException("it was changed as soon as it was written.");
            }
        }
        catch
        {
            File.Delete(beside);
            throw;
        }

        DirectorySync.TryFlush(Path.GetDirectoryName(path)!);
    }

    private async Task<FileStatus?> WriteAsync(
        string path,
        SafeFileHandle? log,
        IAsyncEnumerable<(ReadOnlyMemory<byte> Columns, int Place)> rows,
        CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes);
        if (log is not null)
        {
            PlainFile.CopyMode(log, file.SafeFileHandle);
        }

        using (GZipStream? packed = shape.IsPacked ? new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true) : null)
        {
            Stream stream = packed is null ? file : packed;
            RowsWriter? writer = shape.Kind == OutputKind.Lines ? null : new RowsWriter(stream, shape.Kind, columns, withId);
            RecordReader? reader = log is null ? null : new RecordReader(log);
            await foreach ((ReadOnlyMemory<byte> own, int place) in rows.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                if (index.RecordOf(place) is not RowIndex.NoRecord and var offset)
                {
                    ReadOnlyMemory<byte> record = Read(reader, place, offset);
                    if (writer is null)
                    {
                        stream.Write(record.Span);
                        continue;
                    }

                    RowOutcome outcome = RowOutcome.Read(record);
                    ReadOnlyMemory<byte> cells = own.IsEmpty ? outcome.Columns : own;
                    writer.Write(answers?.AddTo(cells, outcome) ?? cells, outcome);
                }
            }
        }

        file.Flush(flushToDisk: true);
        return FileStatus.Of(file.SafeFileHandle);
    }

    private byte[] Read(RecordReader? reader, int place, long offset)
    {
        byte[] record = reader is null ? [] : reader.Read(offset).ToArray();
        return index.IsRecordOf(place, OutputLine.Read(record, offset, record.Length))
            ? record
            : throw new IOException($"{shape.Log} was changed while it was read.");
    }
}
