using System.Xml;
using FastLLM.Jobs.Tables;
using FastLLM.Jobs.Workbooks;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the rows of a sheet as records: the first row names the columns.</summary>
internal sealed class SheetTable : TableSource
{
    private readonly Workbook _workbook;
    private readonly SheetReader _sheet;
    private int _columns;

    private SheetTable(Workbook workbook, string? sheet)
    {
        _workbook = workbook;
        _sheet = workbook.OpenSheet(sheet);
        Form = new TableForm { Sheet = _sheet.Name };
    }

    /// <inheritdoc/>
    public override long Line => _sheet.Row;

    /// <inheritdoc/>
    public override TableForm Form { get; }

    /// <inheritdoc/>
    public override string WidthAdvice(bool lacksCells) => "Name every column in the first row.";

    /// <summary>Gets a message about the sheet that is read, if there are others.</summary>
    public string? Notice => _workbook.Sheets is { Count: > 1 } sheets
        ? $"the sheet \"{_sheet.Name}\" is read. To read another one ({Others(sheets)}): --sheet NAME."
        : null;

    /// <summary>Opens a sheet of a workbook.</summary>
    /// <param name="stream">The file; it stays open.</param>
    /// <param name="sheet">The name of the sheet; <see langword="null"/> for the first visible one.</param>
    /// <exception cref="InvalidDataException">The file is not a workbook, or has no such sheet.</exception>
    public static SheetTable Open(Stream stream, string? sheet) => Guard(() =>
    {
        Workbook workbook = Workbook.Open(stream);
        try
        {
            return new SheetTable(workbook, sheet);
        }
        catch
        {
            workbook.Dispose();
            throw;
        }
    });

    /// <inheritdoc/>
    public override ValueTask<(Cell[]? Cells, string? Error)> ReadAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Cell[]? cells = Guard(_sheet.Read);
        if (cells is not null && _columns == 0)
        {
            _columns = cells.Length;
        }

        if (cells?.Length < _columns)
        {
            int filled = cells.Length;
            Array.Resize(ref cells, _columns);
            cells.AsSpan(filled).Fill(Cell.Empty);
        }

        int half = cells is null ? -1 : Array.FindIndex(cells, static cell => cell.Value is string text && JsonText.HasLoneSurrogate(text));
        return ValueTask.FromResult<(Cell[]?, string?)>(half < 0 ? (cells, null) : (null, HalfOfACharacter(half)));
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _sheet.Dispose();
        _workbook.Dispose();
    }

    // Excel stores what formulas such as LEFT and MID leave of an emoji.
    private static string HalfOfACharacter(int column) => FormattableString.Invariant(
        $"The cell in column {column + 1} has half of a surrogate pair, such as half of an emoji that a formula has cut. ")
        + "Correct its text.";

    private string Others(IReadOnlyList<string> sheets)
    {
        string[] others = [.. sheets.Where(name => name != _sheet.Name).Take(5)];
        return string.Join(", ", others) + (sheets.Count > others.Length + 1 ? " …" : "");
    }

    private static T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is XmlException or NotSupportedException)
        {
            throw new InvalidDataException($"The workbook is damaged: {e.Message}", e);
        }
    }
}
