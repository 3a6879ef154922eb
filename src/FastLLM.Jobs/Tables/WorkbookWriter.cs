using System.Globalization;
using System.IO.Compression;
using System.Text;
using FastLLM.Jobs.Workbooks;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes rows as the only sheet of an Excel workbook, row by row: texts as texts, numbers as numbers, dates as dates.</summary>
/// <remarks>No cell is a formula. (MiniExcel 1.46 would do, but for its texts: it splits emoji into two codes that few readers put
/// together, and loses CR.)</remarks>
internal sealed class WorkbookWriter : TableWriter
{
    /// <summary>The number of characters that a cell of Excel holds.</summary>
    public const int MaxTextLength = 32_767;

    /// <summary>The number of rows that a sheet of Excel holds, without the first one.</summary>
    public const long MaxRows = 1_048_575;

    private const int DateStyle = 1, TimeStyle = 2, DurationStyle = 3;
    private const string Declaration = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>""";
    private const string Main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    private const string Office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    private const string Package = "http://schemas.openxmlformats.org/package/2006";
    private const string Type = "application/vnd.openxmlformats-officedocument.spreadsheetml";

    // The same table is the same bytes, whenever it is written.
    private static readonly DateTimeOffset s_epoch = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly (string Part, string Xml)[] s_parts =
    [
        ("[Content_Types].xml", $"""
            <Types xmlns="{Package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{Type}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{Type}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="{Type}.styles+xml"/></Types>
            """),
        ("_rels/.rels", $"""
            <Relationships xmlns="{Package}/relationships"><Relationship Id="rId1" Type="{Office}/officeDocument" Target="xl/workbook.xml"/></Relationships>
            """),
        ("xl/_rels/workbook.xml.rels", $"""
            <Relationships xmlns="{Package}/relationships"><Relationship Id="rId1" Type="{Office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{Office}/styles" Target="styles.xml"/></Relationships>
            """),
        ("xl/styles.xml", $"""
            <styleSheet xmlns="{Main}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="46" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>
            """),
    ];

    private readonly TableLayout _layout;
    private readonly ZipArchive _zip;
    private readonly StreamWriter _sheet;
    private readonly StringBuilder _line = new();
    private long _row;
    private long _cut;

    /// <summary>Writes the parts before the rows, and the names of the columns.</summary>
    public WorkbookWriter(Stream stream, TableLayout layout, string sheet)
    {
        _layout = layout;
        _zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        foreach ((string part, string xml) in s_parts)
        {
            WritePart(part, xml);
        }

        var name = new StringBuilder();
        XmlText.Append(name, sheet);
        WritePart("xl/workbook.xml", $"""
            <workbook xmlns="{Main}" xmlns:r="{Office}"><sheets><sheet name="{name.Replace("\"", "&quot;")}" sheetId="1" r:id="rId1"/></sheets></workbook>
            """);
        _sheet = Open("xl/worksheets/sheet1.xml");
        _sheet.Write($"""
            <worksheet xmlns="{Main}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>
            """);
        WriteRow([.. layout.Names.Select(Cell.Text)]);
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Notices => _cut == 0 ? [] :
    [
        FormattableString.Invariant($"{_cut:N0} answers are longer than {MaxTextLength:N0} characters, which a cell of an Excel workbook holds, ")
            + "and are cut. They are whole in the log, and in a table of another form, such as .csv or .parquet.",
    ];

    /// <inheritdoc/>
    public override ValueTask WriteAsync(OutputRow row, CancellationToken cancellationToken)
    {
        if (_row > MaxRows)
        {
            throw new IOException($"A sheet of an Excel workbook has at most {MaxRows:N0} rows. Write .csv, .parquet or .jsonl instead.");
        }

        WriteRow(_layout.CellsOf(row));
        return default;
    }

    /// <inheritdoc/>
    public override async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        await _sheet.WriteAsync("</sheetData></worksheet>").ConfigureAwait(false);
        await _sheet.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _sheet.DisposeAsync().ConfigureAwait(false);
        await _zip.DisposeAsync().ConfigureAwait(false);
    }

    private void WritePart(string part, string xml)
    {
        using StreamWriter writer = Open(part);
        writer.Write(xml);
    }

    private StreamWriter Open(string part)
    {
        ZipArchiveEntry entry = _zip.CreateEntry(part, CompressionLevel.Optimal);
        entry.LastWriteTime = s_epoch;
        var writer = new StreamWriter(entry.Open(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16);
        writer.Write(Declaration);
        return writer;
    }

    private void WriteRow(Cell[] cells)
    {
        _row++;
        _line.Clear().Append(CultureInfo.InvariantCulture, $"<row r=\"{_row}\">");
        for (var i = 0; i < cells.Length; i++)
        {
            if (cells[i].Value is not null)
            {
                _line.Append("<c r=\"");
                AppendColumn(i);
                _line.Append(_row).Append('"');
                AppendValue(cells[i]);
                _line.Append("</c>");
            }
        }

        _sheet.Write(_line.Append("</row>"));
    }

    private void AppendValue(in Cell cell)
    {
        switch (cell.Kind)
        {
            case CellKind.Number when ColumnKind.IsExact(cell.ToText(), out _):
                _line.Append("><v>").Append(cell.ToText()).Append("</v>");
                break;
            case CellKind.Boolean:
                _line.Append(" t=\"b\"><v>").Append((bool)cell.Value! ? '1' : '0').Append("</v>");
                break;
            case CellKind.Time when SerialTime.Of(cell.Value!) is { } serial:
                int style = cell.Value is TimeSpan ? DurationStyle : cell.Value is DateTime { TimeOfDay.Ticks: 0 } ? DateStyle : TimeStyle;
                _line.Append(CultureInfo.InvariantCulture, $" s=\"{style}\"><v>{serial:R}</v>");
                break;
            default:
                AppendText(cell.ToText());
                break;
        }
    }

    private void AppendText(string text)
    {
        if (text.Length > MaxTextLength)
        {
            _cut++;
            text = text[..(MaxTextLength - (char.IsHighSurrogate(text[MaxTextLength - 1]) ? 1 : 0))];
        }

        _line.Append(" t=\"inlineStr\"><is><t xml:space=\"preserve\">");
        XmlText.Append(_line, text);
        _line.Append("</t></is>");
    }

    // A … Z, AA …
    private void AppendColumn(int column)
    {
        int at = _line.Length;
        for (int rest = column + 1; rest > 0; rest = (rest - 1) / 26)
        {
            _line.Insert(at, (char)('A' + ((rest - 1) % 26)));
        }
    }
}
