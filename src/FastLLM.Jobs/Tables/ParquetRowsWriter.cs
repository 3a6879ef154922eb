using Parquet;
using Parquet.Schema;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes rows as a Parquet file. One row group is in memory.</summary>
internal sealed class ParquetRowsWriter : TableWriter
{
    internal const int GroupRows = 50_000;
    internal const long GroupChars = 32L << 20;
    private const int CellChars = 8;

    private readonly Stream _stream;
    private readonly TableLayout _layout;
    private readonly DataField[] _fields;
    private readonly List<Cell>[] _columns;
    private ParquetWriter? _writer;
    private int _rows;
    private long _chars;

    public ParquetRowsWriter(Stream stream, TableLayout layout, IReadOnlyDictionary<string, DataField> inputFields)
    {
        _stream = stream;
        _layout = layout;
        _fields = [.. layout.Names.Select((name, i) => ParquetTypes.FieldOf(name, layout.Kinds[i], InputOf(name, i)))];
        _columns = [.. _fields.Select(_ => new List<Cell>())];

        DataField? InputOf(string name, int i) =>
            i < layout.FirstAnswer && name != layout.IdName ? inputFields.GetValueOrDefault(name) : null;
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(OutputRow row, CancellationToken cancellationToken)
    {
        Cell[] cells = _layout.CellsOf(row);
        for (var i = 0; i < cells.Length; i++)
        {
            _columns[i].Add(cells[i]);
            _chars += cells[i].Value is string text ? text.Length + CellChars : CellChars;
        }

        if (++_rows == GroupRows || _chars >= GroupChars)
        {
            await WriteGroupAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        if (_rows > 0)
        {
            await WriteGroupAsync(cancellationToken).ConfigureAwait(false);
        }

        _writer ??= await CreateAsync(cancellationToken).ConfigureAwait(false);
        await DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (_writer is not null)
        {
            await _writer.DisposeAsync().ConfigureAwait(false);
            _writer = null;
        }
    }

    private Task<ParquetWriter> CreateAsync(CancellationToken cancellationToken) =>
        ParquetWriter.CreateAsync(new ParquetSchema(_fields), _stream, cancellationToken: cancellationToken);

    private async Task WriteGroupAsync(CancellationToken cancellationToken)
    {
        _writer ??= await CreateAsync(cancellationToken).ConfigureAwait(false);
        using ParquetRowGroupWriter group = _writer.CreateRowGroup();
        for (var i = 0; i < _fields.Length; i++)
        {
            await ParquetValues.WriteAsync(group, _fields[i], _columns[i], cancellationToken).ConfigureAwait(false);
            _columns[i].Clear();
        }

        group.CompleteValidate();
        (_rows, _chars) = (0, 0);
    }
}
