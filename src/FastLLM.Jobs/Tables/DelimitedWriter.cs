using System.Text;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes rows as CSV or TSV.</summary>
internal sealed class DelimitedWriter : TableWriter
{
    private const int RetainedChars = 1 << 20;

    private readonly Stream _stream;
    private readonly TableLayout _layout;
    private readonly char _separator;
    private readonly Encoding _encoding;
    private readonly bool _guards;
    private StringBuilder _line = new();
    private long _guarded;

    /// <summary>Writes the names of the columns.</summary>
    public DelimitedWriter(Stream stream, TableLayout layout, char separator, Encoding? encoding, bool guards)
    {
        _stream = stream;
        _layout = layout;
        _separator = separator;
        _encoding = encoding ?? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        _guards = guards;
        _stream.Write(_encoding.Preamble);
        WriteCells(layout.Names.Count, i => (layout.Names[i], IsAnswer: false));
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Notices => _guarded == 0 ? [] :
    [
        FormattableString.Invariant($"{_guarded:N0} answers begin like a formula and are written with an apostrophe before them, ")
            + "so that no spreadsheet runs them. To write them as they are: --no-formula-guard.",
    ];

    public override ValueTask WriteAsync(OutputRow row, CancellationToken cancellationToken)
    {
        Cell[] cells = _layout.CellsOf(row);
        WriteCells(cells.Length, i => (cells[i].ToText(), IsAnswer: i >= _layout.FirstAnswer));
        return default;
    }

    public override ValueTask EndAsync(CancellationToken cancellationToken) => default;

    public override ValueTask DisposeAsync() => default;

    private void WriteCells(int count, Func<int, (string Text, bool IsAnswer)> cell)
    {
        _line.Clear();
        for (var i = 0; i < count; i++)
        {
            if (i > 0)
            {
                _line.Append(_separator);
            }

            (string text, bool isAnswer) = cell(i);
            bool isGuarded = isAnswer && _guards && TableCell.MayBeFormula(text);
            _guarded += isGuarded ? 1 : 0;
            TableCell.Append(_line, text, _separator, isGuarded);
        }

        _line.Append('\n');
        _stream.Write(_encoding.GetBytes(_line.ToString()));
        if (_line.Capacity > RetainedChars)
        {
            _line = new StringBuilder();
        }
    }
}
