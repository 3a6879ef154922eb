using System.IO.Compression;
using System.Text;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Tables;
using FastLLM.Jobs.Workbooks;
using FastLLM.TestKit;
using ParquetSharp;
using Encoding = System.Text.Encoding;
using Xunit;

namespace FastLLM.Tests.Jobs.Forms;

/// <summary>Files are not trusted: what is damaged or too large is an error that says so, before it needs the memory.</summary>
public sealed class HostileFilesTests : IDisposable
{
    private const string Main = "xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'";
    private const string Head = "<row r='1'><c r='A1' t='inlineStr'><is><t>text</t></is></c><c r='B1' t='inlineStr'><is><t>b</t></is></c></row>";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    /// <summary>The rows of a sheet, and its cells: kind and text, joined with |.</summary>
    public static TheoryData<string, string[]> Sheets => new()
    {
        { "<row r='3'><c r='B3'><v>1</v></c></row>", ["3:Empty=|Number=1"] },
        { "<row><c t='str'><v> x </v></c><c><v>2</v></c></row><row><c/><c><v>3</v></c></row>", ["2:Text= x |Number=2", "3:Empty=|Number=3"] },
        { "<row r='2'><c r='A2' t='e'><v>#N/A</v></c><c r='B2' t='b'><v>1</v></c></row>", ["2:Text=#N/A|Boolean=true"] },
        { "<row r='2'><c r='A2' t='s'><v>0</v></c><c r='B2' t='s'><v>1</v></c></row>", ["2:Text=rich text|Text= 007\r😀 "] },
        { "<row r='2'><c r='A2' s='1'><v>45322</v></c><c r='B2' s='1'><v>45322.5</v></c></row>", ["2:Time=2024-01-31|Time=2024-01-31T12:00:00"] },
        { "<row r='2'><c r='A2' s='2'><v>0.75</v></c><c r='B2' s='3'><v>1.5</v></c></row>", ["2:Time=18:00:00|Number=1.5"] },
        { "<row r='2'><c r='A2' s='1'><v>1</v></c><c r='B2' s='1'><v>-1</v></c></row>", ["2:Time=1900-01-01|Number=-1"] },
        { "<row r='2'><c r='A2'><f>1+1</f><v>2</v></c><c r='XFD2' s='1'/></row>", ["2:Number=2|Empty="] },
        { "<row r='2'><c r='A2' t='inlineStr'><is><r><t>a</t></r><r><t xml:space='preserve'> b</t></r><rPh><t>no</t></rPh></is></c></row>", ["2:Text=a b|Empty="] },
        { "<row r='2'/><row r='1048576'><c r='A1048576'><v>1e20</v></c></row>", ["1048576:Number=1E+20|Empty="] },
    };

    [Theory]
    [MemberData(nameof(Sheets))]
    public async Task ReadAsync_Sheet_HasItsCells(string rows, string[] cells)
    {
        using SheetTable table = SheetTable.Open(Workbook($"<sheetData>{Head}{rows}</sheetData>"), sheet: null);
        await table.ReadAsync(Ended);
        var read = new List<string>();
        while ((await table.ReadAsync(Ended)).Cells is { } row)
        {
            read.Add($"{table.Line}:{string.Join('|', row.Select(cell => $"{cell.Kind}={cell.ToText()}"))}");
        }

        Assert.Equal(cells, read);
    }

    [Fact]
    public async Task ReadAsync_DatesFrom1904_AreThoseThatExcelShows()
    {
        using SheetTable table = SheetTable.Open(Workbook("<sheetData><row r='1'><c r='A1' s='1'><v>43860</v></c></row></sheetData>", from1904: true), sheet: null);

        Assert.Equal("2024-01-31", (await table.ReadAsync(Ended)).Cells![0].ToText());
    }

    [Theory]
    [InlineData("<row r='2'><c r='ZZZZZZ2'><v>1</v></c></row>", "outside a sheet")]
    [InlineData("<row r='2'><c r='1'><v>1</v></c></row>", "outside a sheet")]
    [InlineData("<row r='2'><c r='B2'><v>1</v></c><c r='A2'><v>1</v></c></row>", "not in order")]
    [InlineData("<row r='4294967296'><c r='A1'><v>1</v></c></row>", "it has a row 4,294,967,296")]
    [InlineData("<row r='2'><c r='A2' t='s'><v>99</v></c></row>", "a text that does not exist (99)")]
    [InlineData("<row r='2'><c r='A2' t='inlineStr'><is><t>&lol;</t></is></c></row>", "The workbook is damaged")]
    [InlineData("<row r='2'><c", "The workbook is damaged")]
    public async Task ReadAsync_DamagedSheet_IsAnError(string rows, string says)
    {
        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            using SheetTable table = SheetTable.Open(Workbook($"<sheetData>{Head}{rows}</sheetData>"), sheet: null);
            while ((await table.ReadAsync(Ended)).Cells is not null)
            {
            }
        });

        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a_xD83D_")] // as Excel stores it
    [InlineData("&#xDE00;b")]
    public async Task ReadAsync_HalfOfASurrogatePair_IsAnErrorOfItsRow(string text)
    {
        string rows = $"<row r='2'><c r='B2' t='inlineStr'><is><t>{text}</t></is></c></row><row r='3'><c r='A3'><v>1</v></c></row>";
        using SheetTable table = SheetTable.Open(Workbook($"<sheetData>{Head}{rows}</sheetData>"), sheet: null);
        await table.ReadAsync(Ended);

        (Cell[]? cells, string? error) = await table.ReadAsync(Ended);

        Assert.Null(cells);
        Assert.StartsWith("The cell in column 2 has half of a surrogate pair", error, StringComparison.Ordinal);
        Assert.Equal(2, table.Line);
        Assert.Equal("1", (await table.ReadAsync(Ended)).Cells![0].ToText());
    }

    [Fact]
    public async Task ReadAsync_WorkbookWithAnyByteChanged_IsAnErrorOrReadAsBefore()
    {
        byte[] file = Workbook($"<sheetData>{Head}{string.Concat(Enumerable.Range(2, 30).Select(row =>
            $"<row r='{row}'><c r='A{row}'><v>{row * 7919}</v></c><c r='B{row}' t='s'><v>{row & 1}</v></c></row>"))}</sheetData>").ToArray();
        List<string> rows = await RowsAsync(file);
        for (int i = 0; i < file.AsSpan().IndexOf("PK\u0001\u0002"u8); i++)
        {
            byte[] changed = [.. file];
            changed[i] ^= 0x04;
            try
            {
                Assert.Equal(rows, await RowsAsync(changed));
            }
            catch (InvalidDataException e)
            {
                Assert.Matches("damaged|not an Excel workbook", e.Message);
            }
        }
    }

    private static async Task<List<string>> RowsAsync(byte[] workbook)
    {
        using SheetTable table = SheetTable.Open(new MemoryStream(workbook), sheet: null);
        List<string> rows = [];
        while ((await table.ReadAsync(Ended)).Cells is { } cells)
        {
            rows.Add(string.Join('|', cells.Select(cell => cell.ToText())));
        }

        return rows;
    }

    [Fact]
    public async Task ReadAsync_BombOfOneCell_IsRefusedBeforeItNeedsTheMemory()
    {
        MemoryStream bomb = Workbook($"<sheetData>{Head}<row r='2'><c r='A2' t='inlineStr'><is><t>{new string('x', 40 << 20)}</t></is></c></row></sheetData>");
        Assert.InRange(bomb.Length, 0, 1 << 20);
        using SheetTable table = SheetTable.Open(bomb, sheet: null);
        await table.ReadAsync(Ended);

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await table.ReadAsync(Ended));

        Assert.Contains("a cell that is larger than 16 MB", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_EntitiesOfADtd_AreNotExpanded()
    {
        MemoryStream file = Workbook("<sheetData/>", shared: "<!DOCTYPE a [<!ENTITY l \"ha\">]><sst><si><t>&l;</t></si></sst>");

        Assert.Contains("DTD", Assert.Throws<InvalidDataException>(() => SheetTable.Open(file, sheet: null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SharedTextsBeyondTheBound_AreRefused()
    {
        var texts = new StringBuilder("<sst>");
        for (var i = 0; i < 36; i++)
        {
            texts.Append("<si><t>").Append('x', 4 << 20).Append("</t></si>");
        }

        MemoryStream file = Workbook("<sheetData/>", shared: texts.Append("</sst>").ToString());

        Assert.Contains("more than 256 MB", Assert.Throws<InvalidDataException>(() => SheetTable.Open(file, sheet: null)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "first")]
    [InlineData("SECOND", "second")]
    [InlineData("hidden", "hidden")]
    public void Open_Sheet_IsTheNamedOrTheFirstVisibleOne(string? sheet, string opened)
    {
        using SheetTable table = SheetTable.Open(Workbook("<sheetData/>", sheets: ["hidden", "first", "second"]), sheet);

        Assert.Equal(opened, table.Form.Sheet);
        Assert.Contains($"the sheet \"{opened}\" is read", table.Notice, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SheetThatDoesNotExist_NamesThoseThatDo()
    {
        var fault = Assert.Throws<InvalidDataException>(() => SheetTable.Open(Workbook("<sheetData/>", sheets: ["hidden", "first"]), "x"));

        Assert.Contains("no sheet \"x\". Its sheets are: hidden, first.", fault.Message, StringComparison.Ordinal);
    }

    /// <summary>Bytes, and what is said of them.</summary>
    public static TheoryData<byte[], string> Broken => new()
    {
        { [.. "PK\u0003\u0004"u8, 1, 2, 3], "The workbook is damaged" },
        { Zip(("a.txt", "hi")), "not an Excel workbook" },
        { [0xD0, 0xCF, 0x11, 0xE0, 1, 2], "old Excel workbook" },
        { [.. "PAR1"u8, 1, 2, 3, 4, .. "PAR1"u8], "The Parquet file is damaged" },
        { [.. "PAR1"u8, 0xFF, 0xFF, 0xFF, 0x7F, .. "PAR1"u8], "The Parquet file is damaged" },
        { Packed([.. "PAR1"u8, 1]), "neither compressed with gzip" },
        { Packed(Zip(("a", "b"))), "neither compressed with gzip" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task ReadAsync_BrokenFile_IsAnErrorThatSaysWhatItIs(byte[] file, string says)
    {
        using var reader = Reader(new MemoryStream(file));

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await reader.ReadAsync(Ended));

        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadAsync_ParquetFileCutAnywhere_IsAnError()
    {
        string path = _folder.In("a.parquet");
        OtherLibraries.WriteParquet(path, groupRows: 10, (new Column<string>("text"), Enumerable.Range(0, 20).Select(i => $"text {i}").ToArray()), (new Column<double?>("n"), new double?[20]));
        byte[] whole = File.ReadAllBytes(path);
        for (var length = 4; length < whole.Length; length++)
        {
            using var reader = Reader(new MemoryStream(whole[..length]));
            await Assert.ThrowsAsync<InvalidDataException>(async () => await reader.ReadAsync(Ended));
        }
    }

    [Fact]
    public async Task ReadAsync_ParquetFileThatEndsWithinAPage_IsAnErrorAndNoEndlessRead()
    {
        string path = _folder.In("a.parquet");
        OtherLibraries.WriteParquet(path, groupRows: 20, (new Column<string>("text"), Enumerable.Range(0, 20).Select(i => $"text {i}").ToArray()));
        byte[] whole = File.ReadAllBytes(path);
        int footer = BitConverter.ToInt32(whole, whole.Length - 8) + 8;

        // The footer says where pages begin: without the bytes before it, the file ends where a page should be.
        var read = 0;
        for (int cut = 1; cut < whole.Length - footer - 4; cut++)
        {
            using var reader = Reader(new MemoryStream([.. "PAR1"u8, .. whole.AsSpan(4 + cut)]));
            try
            {
                while (await reader.ReadAsync(Ended) is not null)
                {
                    read++;
                }
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith("The Parquet file is damaged", e.Message, StringComparison.Ordinal);
                read++;
            }
        }

        Assert.NotEqual(0, read);
    }

    [Fact]
    public async Task OpenAsync_ParquetFileThatKeepsTheLibraryBusy_IsRefusedInTime()
    {
        string path = _folder.In("a.parquet");
        OtherLibraries.WriteParquet(path, groupRows: 1, (new Column<string>("text"), new[] { "a" }));
        byte[] whole = File.ReadAllBytes(path);

        // A field that no reader knows: a list of 268,435,456 flags, which take no bytes. Lists of such lists would take days.
        byte[] list = [0xF9, 0xF1, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00];
        int footer = BitConverter.ToInt32(whole, whole.Length - 8);
        byte[] file = [.. whole.AsSpan(0, whole.Length - 9), .. list, .. BitConverter.GetBytes(footer - 1 + list.Length), .. "PAR1"u8];

        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => ParquetTable.OpenAsync(new MemoryStream(file), Ended, TimeSpan.Zero));

        Assert.Contains("did not end within", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadAsync_NestedColumnOfParquet_IsNamed()
    {
        string path = _folder.In("a.parquet");
        OtherLibraries.WriteParquet(path, groupRows: 1, (new Column<string>("text"), new[] { "a" }), (new Column<string[]>("tags"), new[] { new[] { "x" } }));
        using var reader = Reader(File.OpenRead(path));

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await reader.ReadAsync(Ended));

        Assert.Contains("The column \"tags\" is a list or a structure", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void See_TextThatNoCellOfAWorkbookHolds_IsRefusedBeforeTheFirstSend()
    {
        var columns = new ColumnNames(OutputKind.Workbook);
        columns.See(Encoding.UTF8.GetBytes($$"""{"a":"{{new string('é', WorkbookWriter.MaxTextLength)}}"}"""));

        var fault = Assert.Throws<InvalidDataException>(() => columns.See(Encoding.UTF8.GetBytes($$"""{"a":"{{new string('x', WorkbookWriter.MaxTextLength + 1)}}"}""")));

        Assert.Contains("\"a\" is longer than 32,767 characters", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("General", "Number")]
    [InlineData("0.00\" d\"", "Number")]
    [InlineData("[Red]0.00;[Blue]-0.00", "Number")]
    [InlineData("\\d0_d*y", "Number")]
    [InlineData("0.00E+00", "Number")]
    [InlineData("[$-409]d-mmm-yy", "Date")]
    [InlineData("mmm", "Date")]
    [InlineData("yyyy\\-mm\\-dd hh:mm", "Date")]
    [InlineData("h:mm AM/PM", "Time")]
    [InlineData("[h]:mm:ss", "Time")]
    [InlineData("[mm]", "Time")]
    [InlineData("\"unclosed", "Number")]
    [InlineData("[unclosed", "Number")]
    public void KindOf_Format_IsWhatExcelShows(string code, string kind) => Assert.Equal(kind, NumberFormats.KindOf(code).ToString());

    private static InputReader Reader(Stream stream) =>
        new(stream, InputFormat.Auto, "m", new RowRequests(new RowTemplate { Prompt = "{{text}}", AllowMissing = true }, "m", ".")) { OwnsStream = true };

    private static MemoryStream Workbook(string sheet, string? shared = null, bool from1904 = false, params string[] sheets)
    {
        sheets = sheets.Length == 0 ? ["Data"] : sheets;
        string styles = $"<styleSheet {Main}><numFmts><numFmt numFmtId='164' formatCode='[Red]0.00'/></numFmts>"
            + "<cellXfs><xf numFmtId='0'/><xf numFmtId='14'/><xf numFmtId='21'/><xf numFmtId='164'/></cellXfs></styleSheet>";
        return new MemoryStream(Zip(
        [
            ("xl/_rels/workbook.xml.rels", $"<Relationships>{string.Concat(sheets.Select((_, i) => $"<Relationship Id='r{i}' Type='x/worksheet' Target='worksheets/s.xml'/>"))}</Relationships>"),
            ("xl/workbook.xml", $"<workbook {Main}><workbookPr date1904='{(from1904 ? 1 : 0)}'/><sheets>"
                + $"{string.Concat(sheets.Select((name, i) => $"<sheet name='{name}' r:id='r{i}'{(name == "hidden" ? " state='hidden'" : "")}/>"))}</sheets></workbook>"),
            ("xl/worksheets/s.xml", $"<worksheet {Main}>{sheet}</worksheet>"),
            ("xl/styles.xml", styles),
            ("xl/sharedStrings.xml", shared ?? "<sst><si><r><t>rich</t></r><r><t xml:space='preserve'> text</t></r><rPh><t>no</t></rPh></si><si><t xml:space='preserve'> 007_x000D_😀 </t></si></sst>"),
        ]));
    }

    private static byte[] Zip(params (string Name, string Text)[] parts)
    {
        using var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create))
        {
            foreach ((string name, string text) in parts)
            {
                using var writer = new StreamWriter(zip.CreateEntry(name).Open());
                writer.Write(text);
            }
        }

        return file.ToArray();
    }

    private static byte[] Packed(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }
}
