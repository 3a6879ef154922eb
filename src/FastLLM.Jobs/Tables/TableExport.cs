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
/// <param name="layout">The columns of the file.</param>
/// <param name="index">The rows of the input and the offsets of their records in the log.</param>
/// <param name="form">The form of the input, which an output of the same kind keeps.</param>
/// <param name="guards">Whether answers that may be formulas begin with an apostrophe in text files.</param>
internal sealed class TableExport(OutputShape shape, TableLayout layout, InputIndex index, TableForm form, bool guards)
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Gets messages about what had to be changed in cells.</summary>
    public IReadOnlyList<string> Notices { get; private set; } = [];

    /// <summary>Gets a value indicating whether the file that was written is still there, with its length.</summary>
    public bool IsInPlace => Finished is not { } written || written.Status.IsUnchangedAt(written.Path);

    /// <summary>Gets the file that was written, and its full path; <see langword="null"/> if there is none, or the system does not
    /// say.</summary>
    public (string Path, FileStatus Status)? Finished { get; private set; }

    /// <summary>Writes the file. A row without a record has its columns and no answer.</summary>
    /// <param name="suffix">The ending of the name that the file has while it is written.</param>
    /// <param name="cancellationToken">Cancels the export; an earlier file stays as it is.</param>
    /// <exception cref="IOException">The disk is full, or the log does not hold the rows' records; an earlier file stays as it
    /// is.</exception>
    public async Task WriteAsync(string suffix, CancellationToken cancellationToken)
    {
        string path = Path.GetFullPath(shape.Path);
        string beside = path + suffix;
        OutputPath.DeleteUnfinished(beside);
        try
        {
            // An input without rows has no log.
            using SafeFileHandle? log = File.Exists(shape.Log) ? OutputScan.OpenForReading(shape.Log) : null;
            FileStatus? written = await WriteAsync(beside, log, cancellationToken).ConfigureAwait(false);
            Finished = written is { } status ? (path, status) : null;
            OutputPath.RefuseLink(path);
            KillPoint.Reached(KillPoint.BeforeRename);
            File.Move(beside, path, overwrite: true);
            if (!IsInPlace)
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

    private async Task<FileStatus?> WriteAsync(string path, SafeFileHandle? log, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, BufferBytes);
        using var summed = new SummedFile(file);
        if (log is not null)
        {
            PlainFile.CopyMode(log, file.SafeFileHandle);
        }

        using (GZipStream? packed = shape.IsPacked ? new GZipStream(summed, CompressionLevel.Optimal, leaveOpen: true) : null)
        {
            Stream stream = packed is null ? summed : packed;
            RecordReader? reader = log is null ? null : new RecordReader(log);
            await (shape.IsTable ? WriteRowsAsync(stream, reader, cancellationToken) : WriteLinesAsync(stream, reader, cancellationToken))
                .ConfigureAwait(false);
        }

        summed.FlushAndCheck();
        return FileStatus.Of(file.SafeFileHandle);
    }

    private async Task WriteRowsAsync(Stream stream, RecordReader? reader, CancellationToken cancellationToken)
    {
        TableWriter writer = TableWriter.Create(shape.Kind, stream, layout, form, guards);
        await using (writer.ConfigureAwait(false))
        {
            await foreach ((RowColumns own, string id, int place) in index.ReadColumnsAsync(cancellationToken).ConfigureAwait(false))
            {
                RowOutcome? outcome = null;
                if (index.Rows.RecordOf(place) is not RowIndex.NoRecord and var offset)
                {
                    outcome = RowOutcome.Read(Read(reader, place, offset));
                }
                else if (index.IsPipe || place >= index.Count)
                {
                    continue; // the columns are unknown, or the row is beyond the limit
                }

                await writer.WriteAsync(layout.RowOf(id, own, outcome), cancellationToken).ConfigureAwait(false);
            }

            await writer.EndAsync(cancellationToken).ConfigureAwait(false);
            Notices = [.. writer.Notices];
        }
    }

    private async Task WriteLinesAsync(Stream stream, RecordReader? reader, CancellationToken cancellationToken)
    {
        bool isArray = shape.Kind == OutputKind.LineArray;
        var count = 0;
        await foreach ((_, _, int place) in index.ReadColumnsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (index.Rows.RecordOf(place) is not RowIndex.NoRecord and var offset)
            {
                byte[] record = Read(reader, place, offset);
                stream.Write(!isArray ? default : count++ == 0 ? "[\n"u8 : ",\n"u8);
                stream.Write(isArray ? record.AsSpan().TrimEnd("\r\n"u8) : record);
            }
        }

        stream.Write(!isArray ? default : count == 0 ? "[]\n"u8 : "\n]\n"u8);
    }

    private byte[] Read(RecordReader? reader, int place, long offset)
    {
        byte[] record = reader is null ? [] : reader.Read(offset).ToArray();
        return index.Rows.IsRecordOf(place, OutputLine.Read(record, offset, record.Length))
            ? record
            : throw new IOException($"{shape.Log} was changed while it was read.");
    }
}
