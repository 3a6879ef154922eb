using System.Diagnostics.CodeAnalysis;
using FastLLM.Jobs.Tables;
using Parquet;
using Parquet.Schema;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the rows of a Parquet file as records, with the types of their columns.</summary>
/// <remarks>The format stores columns: one row group is in memory, and a larger one than <see cref="MaxGroupBytes"/> is refused. Files are
/// not trusted: counts in a damaged one can keep the library busy for days, so that each read has a time limit.</remarks>
internal sealed class ParquetTable : TableSource
{
    internal const long MaxGroupBytes = 512L << 20;
    private const int MaxColumns = 16_384;
    private const int CellBytes = 16;
    private const int BytesPerSecond = 4 << 20; // far less than any machine reads

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly ParquetReader _reader;
    private readonly DataField[] _fields;
    private readonly Func<int, Cell>[] _columns;
    private readonly TimeSpan _patience;
    private int _nextGroup;
    private int _row;
    private int _rows;
    private long _line = -1;

    private ParquetTable(ParquetReader reader, DataField[] fields, TimeSpan patience)
    {
        _reader = reader;
        _patience = patience;
        _fields = fields;
        _columns = new Func<int, Cell>[fields.Length];
        Form = new TableForm { Fields = fields.ToDictionary(field => field.Name, StringComparer.Ordinal) };
    }

    /// <inheritdoc/>
    public override long Line => Math.Max(_line, 1);

    /// <inheritdoc/>
    public override TableForm Form { get; }

    /// <summary>Opens a file.</summary>
    /// <param name="stream">The file; it stays open.</param>
    /// <param name="cancellationToken">Cancels the opening.</param>
    /// <param name="patience">How long a read may take; by default a minute.</param>
    /// <exception cref="InvalidDataException">The file is not a Parquet file, is damaged, or has nested columns.</exception>
    public static async Task<ParquetTable> OpenAsync(Stream stream, CancellationToken cancellationToken, TimeSpan? patience = null)
    {
        TimeSpan within = patience ?? s_patience;
        (ParquetReader reader, ParquetSchema schema) = await GuardAsync(
            async () =>
            {
                ParquetReader opened = await ParquetReader.CreateAsync(
                    new StrictStream(stream), leaveStreamOpen: true, cancellationToken: cancellationToken).ConfigureAwait(false);
                return (opened, opened.Schema);
            },
            within, cancellationToken).ConfigureAwait(false);
        try
        {
            if (schema.Fields.Count > MaxColumns)
            {
                throw new InvalidDataException($"The file has more than {MaxColumns:N0} columns.");
            }

            Field? nested = schema.Fields.FirstOrDefault(field => field is not DataField { IsArray: false });
            if (nested is not null)
            {
                throw new InvalidDataException($"The column \"{nested.Name}\" is a list or a structure, which a table cannot have. "
                    + "Write it as text (such as JSON), or write the file without it.");
            }

            return new ParquetTable(reader, [.. schema.Fields.Cast<DataField>()], within);
        }
        catch
        {
            await reader.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<(Cell[]? Cells, string? Error)> ReadAsync(CancellationToken cancellationToken)
    {
        if (++_line == 0)
        {
            return (Array.ConvertAll(_fields, static field => Cell.Text(field.Name)), null); // as the first line of a CSV file
        }

        while (_row == _rows)
        {
            if (_nextGroup == _reader.RowGroupCount)
            {
                return default;
            }

            await ReadGroupAsync(cancellationToken).ConfigureAwait(false);
        }

        int row = _row++;
        return (Array.ConvertAll(_columns, column => column(row)), null);
    }

    /// <inheritdoc/>
    public override void Dispose() => _reader.DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task ReadGroupAsync(CancellationToken cancellationToken)
    {
        int number = _nextGroup++;
        using ParquetRowGroupReader group = await GuardAsync(
            () => Task.FromResult(_reader.OpenRowGroupReader(number)), _patience, cancellationToken).ConfigureAwait(false);
        long bytes = _fields.Sum(field => Math.Max(0, group.GetMetadata(field)?.MetaData?.TotalUncompressedSize ?? 0));
        if (group.RowCount < 0 || group.RowCount > MaxGroupBytes / CellBytes / Math.Max(1, _fields.Length) || bytes > MaxGroupBytes)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"Row group {_nextGroup} has {group.RowCount:N0} rows and {bytes >> 20:N0} MB, too much to hold in memory ")
                + $"({MaxGroupBytes >> 20} MB). Write the file with smaller row groups, such as pandas' row_group_size=100000.");
        }

        var rows = (int)group.RowCount;
        for (var i = 0; i < _fields.Length; i++)
        {
            DataField field = _fields[i];
            _columns[i] = await GuardAsync(
                () => ParquetColumn.ReadAsync(group, field, rows, cancellationToken),
                _patience + TimeSpan.FromSeconds(bytes / BytesPerSecond), cancellationToken).ConfigureAwait(false);
        }

        (_rows, _row) = (rows, 0);
    }

    // The library throws whatever its parsers throw, and cannot be stopped: what does not end is left alone.
    [SuppressMessage("Design", "CA1031", Justification = "Whatever a damaged file makes the library throw is an error of the file.")]
    private static async Task<T> GuardAsync<T>(Func<Task<T>> read, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(read, cancellationToken).WaitAsync(patience, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new InvalidDataException(
                $"The Parquet file is damaged: reading it did not end within {patience.TotalSeconds:0} seconds.");
        }
        catch (Exception e) when (e is not (OperationCanceledException or UnauthorizedAccessException))
        {
            throw new InvalidDataException(e.Message.StartsWith("not a parquet file", StringComparison.OrdinalIgnoreCase)
                ? "The Parquet file is damaged or incomplete. Copy or write it again."
                : $"The Parquet file is damaged, or of a kind that cannot be read: {e.Message}", e);
        }
    }
}
