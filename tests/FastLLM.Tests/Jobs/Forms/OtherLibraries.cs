using System.Globalization;
using System.Text;
using System.Text.Json;
using CsvHelper;
using ExcelDataReader;
using MiniExcelLibs;
using ParquetSharp;
using Encoding = System.Text.Encoding;

namespace FastLLM.Tests.Jobs.Forms;

/// <summary>Writes and reads tables with other libraries than FastLLM does.</summary>
internal static class OtherLibraries
{
    static OtherLibraries() => Encoding.RegisterProvider(CodePagesEncodingProvider.Instance); // ExcelDataReader wants it

    public static void WriteWorkbook(string path, IEnumerable<IDictionary<string, object?>> rows) => MiniExcel.SaveAs(path, rows, sheetName: "Data & more");

    /// <summary>Writes columns of one row group each number of rows.</summary>
    public static void WriteParquet(string path, int groupRows, params (Column Column, Array Values)[] columns)
    {
        using var writer = new ParquetFileWriter(path, [.. columns.Select(column => column.Column)]);
        int rows = columns[0].Values.Length;
        for (var from = 0; from < rows; from += groupRows)
        {
            using RowGroupWriter group = writer.AppendRowGroup();
            foreach ((_, Array values) in columns)
            {
                var part = Array.CreateInstance(values.GetType().GetElementType()!, Math.Min(groupRows, rows - from));
                Array.Copy(values, from, part, 0, part.Length);
                using LogicalColumnWriter column = group.NextColumn().LogicalWriter();
                column.Apply(new Values(part));
            }
        }

        writer.Close();
    }

    /// <summary>Reads a table: the names of the columns, then the cells as they are.</summary>
    public static List<object?[]> Read(string path) => Path.GetExtension(path) switch
    {
        ".xlsx" => ReadWorkbook(path),
        ".parquet" => ReadParquet(path),
        ".json" => ReadJson(path),
        _ => ReadText(path),
    };

    /// <summary>Gets a cell as text, whatever its type.</summary>
    public static string Text(object? cell) => cell switch
    {
        null => "",
        bool flag => flag ? "true" : "false",
        DateTime { TimeOfDay.Ticks: 0 } day => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime time => time.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture),
        Date date => date.DateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        IFormattable value => value.ToString(null, CultureInfo.InvariantCulture),
        _ => cell.ToString()!,
    };

    private static List<object?[]> ReadWorkbook(string path)
    {
        using FileStream file = File.OpenRead(path);
        using IExcelDataReader reader = ExcelReaderFactory.CreateOpenXmlReader(file);
        var rows = new List<object?[]>();
        while (reader.Read())
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetValue)]);
        }

        return rows;
    }

    private static List<object?[]> ReadParquet(string path)
    {
        using var file = new ParquetFileReader(path);
        int columns = file.FileMetaData.NumColumns;
        List<object?[]> rows = [[.. Enumerable.Range(0, columns).Select(i => file.FileMetaData.Schema.Column(i).Name)]];
        for (var g = 0; g < file.FileMetaData.NumRowGroups; g++)
        {
            using RowGroupReader group = file.RowGroup(g);
            object?[][] values = [.. Enumerable.Range(0, columns).Select(i =>
            {
                using LogicalColumnReader column = group.Column(i).LogicalReader();
                return column.Apply(new Cells((int)group.MetaData.NumRows));
            })];
            rows.AddRange(Enumerable.Range(0, (int)group.MetaData.NumRows).Select(row => values.Select(column => column[row]).ToArray()));
        }

        return rows;
    }

    private static List<object?[]> ReadJson(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement[] rows = [.. document.RootElement.EnumerateArray()];
        return [[.. rows[0].EnumerateObject().Select(member => member.Name)], .. rows.Select(row => row.EnumerateObject().Select(member => (object?)(member.Value.ValueKind switch
        {
            JsonValueKind.Null => null,
            JsonValueKind.True or JsonValueKind.False => member.Value.GetBoolean(),
            JsonValueKind.String => member.Value.GetString(),
            _ => member.Value.GetRawText(),
        })).ToArray())];
    }

    private static List<object?[]> ReadText(string path)
    {
        string text = File.ReadAllText(path); // detects a BOM
        char separator = text.Split('\n')[0].FirstOrDefault(c => c is ';' or '|' or '\t' or ',');
        using CsvReader reader = CsvReader.FromText(text, new CsvReaderOptions { HasHeader = false, Separator = separator });
        var rows = new List<object?[]>();
        while (reader.Read())
        {
            rows.Add([.. reader.Current.ToArray()]);
        }

        return rows;
    }

    private sealed class Values(Array values) : ILogicalColumnWriterVisitor<bool>
    {
        public bool OnLogicalColumnWriter<TValue>(LogicalColumnWriter<TValue> columnWriter)
        {
            columnWriter.WriteBatch((TValue[])values);
            return true;
        }
    }

    private sealed class Cells(int rows) : ILogicalColumnReaderVisitor<object?[]>
    {
        public object?[] OnLogicalColumnReader<TValue>(LogicalColumnReader<TValue> columnReader) =>
            [.. columnReader.ReadAll(rows).Cast<object?>()];
    }
}
