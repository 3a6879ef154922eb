using System.Globalization;
using System.Xml;
using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Workbooks;

/// <summary>Reads a sheet of a workbook row by row.</summary>
internal sealed class SheetReader : IDisposable
{
    private const int MaxColumns = 16_384;
    private const long MaxRows = 1_048_576;

    private readonly Workbook _workbook;
    private readonly BoundedXml _part;
    private readonly List<Cell> _cells = [];

    public SheetReader(Workbook workbook, string name, BoundedXml part)
    {
        _workbook = workbook;
        _part = part;
        Name = name;
    }

    /// <summary>Gets the name of the sheet.</summary>
    public string Name { get; }

    /// <summary>Gets the number of the row that was read last, from 1.</summary>
    public long Row { get; private set; }

    /// <summary>Reads the next row that has a value.</summary>
    /// <returns>Its cells up to the last one with a value; <see langword="null"/> after the last row.</returns>
    /// <exception cref="InvalidDataException">The sheet is damaged.</exception>
    public Cell[]? Read()
    {
        while (_part.Read())
        {
            if (_part.Xml is { NodeType: XmlNodeType.Element, LocalName: "row" } && ReadRow() is { Length: > 0 } cells)
            {
                return cells;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _part.Dispose();

    private Cell[] ReadRow()
    {
        Row = _part.Attribute("r") is { } given && long.TryParse(given, CultureInfo.InvariantCulture, out long row) && row > Row
            ? row : Row + 1;
        if (Row > MaxRows)
        {
            throw Damaged($"it has a row {Row:N0}");
        }

        _cells.Clear();
        if (_part.Xml.IsEmptyElement)
        {
            return [];
        }

        int depth = _part.Xml.Depth;
        var next = 0;
        while (_part.ReadChild(depth))
        {
            if (_part.Xml.LocalName != "c")
            {
                continue;
            }

            int column = _part.Attribute("r") is { } reference ? ColumnOf(reference) : next;
            if (column < next || column >= MaxColumns)
            {
                throw Damaged($"the cells of row {Row:N0} are not in order");
            }

            next = column + 1;

            Cell cell = ReadCell();
            if (!cell.IsEmpty)
            {
                while (_cells.Count < column)
                {
                    _cells.Add(Cell.Empty);
                }

                _cells.Add(cell);
            }
        }

        return [.. _cells];
    }

    private Cell ReadCell()
    {
        string? type = _part.Attribute("t");
        int style = int.TryParse(_part.Attribute("s"), CultureInfo.InvariantCulture, out int number) ? number : 0;
        if (_part.Xml.IsEmptyElement)
        {
            return Cell.Empty;
        }

        string? value = null;
        string? text = null;
        for (int depth = _part.Xml.Depth; _part.ReadChild(depth);)
        {
            if (_part.Xml.LocalName == "v")
            {
                value = XmlText.Of(_part);
            }
            else if (_part.Xml.LocalName == "is")
            {
                text = XmlText.OfRuns(_part);
            }
        }

        return type == "inlineStr" ? Cell.Text(text)
            : string.IsNullOrEmpty(value) ? Cell.Empty
            : type switch
            {
                "s" => Cell.Text(SharedText(value)),
                "str" => Cell.Text(XmlText.Decode(value)),
                "e" => Cell.Text(value),
                "b" => new Cell(CellKind.Boolean, value is "1" or "true"),
                "d" => DateTime.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out DateTime time)
                    ? new Cell(CellKind.Time, time)
                    : Cell.Text(value),
                _ => NumberOf(value, _workbook.Formats.KindOf(style)),
            };
    }

    private string SharedText(string index) =>
        int.TryParse(index, CultureInfo.InvariantCulture, out int at) && at >= 0 && at < _workbook.SharedTexts.Count
            ? _workbook.SharedTexts[at]
            : throw Damaged($"row {Row:N0} has a text that does not exist ({index})");

    private Cell NumberOf(string value, NumberKind kind)
    {
        if (!double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) || !double.IsFinite(number))
        {
            return Cell.Text(value);
        }

        return (kind == NumberKind.Number ? null : SerialTime.Of(number, kind, _workbook.IsFrom1904)) is { } time
            ? new Cell(CellKind.Time, time)
            : new Cell(CellKind.Number, number);
    }

    private int ColumnOf(string reference)
    {
        long column = 0;
        foreach (char c in reference)
        {
            if (!char.IsAsciiLetter(c) || column > MaxColumns)
            {
                break;
            }

            column = (column * 26) + (char.ToUpperInvariant(c) - 'A' + 1);
        }

        return column is >= 1 and <= MaxColumns ? (int)column - 1 : throw Damaged($"the cell reference {reference} is outside a sheet");
    }

    private InvalidDataException Damaged(FormattableString what) =>
        new($"The sheet \"{Name}\" is damaged: {FormattableString.Invariant(what)}.");
}
