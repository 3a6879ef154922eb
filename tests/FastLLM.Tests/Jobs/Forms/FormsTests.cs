using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using ParquetSharp;
using Encoding = System.Text.Encoding;
using Xunit;

namespace FastLLM.Tests.Jobs.Forms;

/// <summary>Tables of every form are read and written, and another library reads the user's cells as they were.</summary>
public sealed class FormsTests : EngineTest, IDisposable
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private static readonly string[] s_names = ["id", "text", "n", "whole", "day", "flag", "note"];

    private static readonly object?[][] s_rows =
    [
        ["007", "say \"hi\", 😀;\tnow", 1.5, 12L, new DateTime(2024, 1, 31), true, "=1+1"],
        ["08", " two\nlines ", 0.1 + 0.2, -3L, new DateTime(1999, 12, 31), false, null],
        ["9", "_x000D_ & <b>\u0001 é", -1e-7, 123456789012L, new DateTime(2024, 2, 29), true, "-x"],
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];

    public static TheoryData<string, string> Pairs => [.. from input in (string[])["in.xlsx", "in.parquet", "in.json", "in.csv", "utf16.csv", "in.tsv", "lines.dat"]
                                                          from output in (string[])["out.xlsx", "out.parquet", "out.json", "out.csv", "out.tsv"]
                                                          select (input, output)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Pairs))]
    public async Task RunAsync_AnyFormInAndOut_KeepsTheUsersCells(string input, string output)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write(input);

        JobResult result = await RunAsync(simulator.ApiBase, input, output);

        Assert.Equal((3L, 0L, false), (result.Answered, result.Failed, result.IsPartial));
        List<object?[]> table = OtherLibraries.Read(PathOf(output));
        Assert.Equal([.. s_names, "answer", "finish_reason", "error", "prompt_tokens", "completion_tokens", "cost"], table[0]);
        Assert.Equal(s_rows.Select(row => row.Select(OtherLibraries.Text)), table[1..].Select(row => row[..s_names.Length].Select(OtherLibraries.Text)));
        Assert.All(table[1..], (row, i) => Assert.EndsWith($"Say {s_rows[i][1]}", (string?)row[7], StringComparison.Ordinal));
        Assert.All(table[1..], row => Assert.True(int.Parse(OtherLibraries.Text(row[10]), System.Globalization.CultureInfo.InvariantCulture) > 0));

        byte[] first = File.ReadAllBytes(PathOf(output));
        Assert.Equal(3, (await RunAsync(simulator.ApiBase, input, output)).Kept);
        Assert.Equal(first, File.ReadAllBytes(PathOf(output)));
        Assert.Equal(3, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RunAsync_WorkbookToWorkbook_KeepsTypesAndTheSheetsName()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.xlsx");

        await RunAsync(simulator.ApiBase, "in.xlsx", "out.xlsx");

        List<object?[]> table = OtherLibraries.Read(PathOf("out.xlsx"));
        Assert.Equal(["007", "say \"hi\", 😀;\tnow", 1.5, 12.0, new DateTime(2024, 1, 31), true, "=1+1"], table[1][..7]);
        Assert.Equal(["Data & more"], MiniExcelLibs.MiniExcel.GetSheetNames(PathOf("out.xlsx")));
        Assert.All((int[])[10, 11], column => Assert.IsType<double>(table[1][column]));
        var first = (IDictionary<string, object?>)Enumerable.First(MiniExcelLibs.MiniExcel.Query(PathOf("out.xlsx"), useHeaderRow: true));
        Assert.Equal(("say \"hi\", 😀;\tnow", 1.5, new DateTime(2024, 1, 31)), (first["text"], first["n"], first["day"]));
    }

    [Fact]
    public async Task RunAsync_ParquetToParquet_KeepsTheTypesOfColumns()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        DateTime time = new DateTime(2024, 1, 31, 1, 2, 3).AddTicks(4567890);
        OtherLibraries.WriteParquet(
            PathOf("in.parquet"), groupRows: 1,
            (new Column<string>("text"), new[] { "a", "b" }), (new Column<int>("i"), new[] { 1, -2 }), (new Column<long?>("l"), new long?[] { long.MaxValue, null }),
            (new Column<float>("f"), new[] { 0.1f, 2f }), (new Column<double?>("d"), new double?[] { null, 0.1 }), (new Column<bool?>("b"), new bool?[] { true, null }),
            (new Column<DateTime?>("ts", LogicalType.Timestamp(false, TimeUnit.Micros)), new DateTime?[] { time, null }),
            (new Column<DateTime>("utc", LogicalType.Timestamp(true, TimeUnit.Millis)), new[] { new DateTime(2024, 1, 31), new DateTime(1960, 1, 1) }),
            (new Column<Date>("day"), new[] { new Date(2024, 1, 31), new Date(1960, 1, 31) }),
            (new Column<decimal>("dec", LogicalType.Decimal(29, 3)), new[] { 12345678901234567890123.456m, -1m }),
            (new Column<byte[]>("bin"), new byte[]?[] { [1, 2], null }), (new Column<short>("s"), new short[] { -1, 2 }), (new Column<ulong>("u"), new[] { ulong.MaxValue, 1UL }),
            (new Column<TimeSpan>("time", LogicalType.Time(true, TimeUnit.Micros)), new[] { TimeSpan.FromHours(1.5), TimeSpan.Zero }),
            (new Column<Guid>("id"), new[] { new Guid("00112233-4455-6677-8899-aabbccddeeff"), Guid.Empty }));

        await RunAsync(simulator.ApiBase, "in.parquet", "out.parquet");

        List<object?[]> before = OtherLibraries.Read(PathOf("in.parquet")), after = OtherLibraries.Read(PathOf("out.parquet"));
        Assert.Equal(before, after.Select(row => row[..before[0].Length]));
        Assert.Equal(Types("in.parquet"), Types("out.parquet")[..before[0].Length]);
        Assert.Equal(["String", "String", "String", "Int64", "Int64", "Double"], after[1][^6..].Zip(Types("out.parquet")[^6..], (cell, type) => cell?.GetType().Name ?? type));

        string[] Types(string name)
        {
            using var file = new ParquetFileReader(PathOf(name));
            return [.. Enumerable.Range(0, file.FileMetaData.NumColumns).Select(i => file.FileMetaData.Schema.Column(i)).Select(column => column.LogicalType is NoneLogicalType
                ? column.PhysicalType == PhysicalType.Double && column.Name == "cost" ? "Double" : column.PhysicalType.ToString()
                : column.LogicalType is StringLogicalType && column.Name is "error" ? "String" : column.LogicalType.ToString())];
        }
    }

    [Theory]
    [InlineData("in.csv", "out.csv", new byte[] { 0xEF, 0xBB, 0xBF, (byte)'i' }, "id;text;n;")]
    [InlineData("utf16.csv", "out.csv", new byte[] { 0xFF, 0xFE, (byte)'i', 0 }, "id,text,n,")]
    [InlineData("in.tsv", "out.csv", new byte[] { (byte)'i' }, "id,text,n,")]
    [InlineData("lines.dat", "out.tsv", new byte[] { (byte)'i' }, "id\ttext\tn\t")]
    public async Task RunAsync_Text_KeepsEncodingAndSeparator(string input, string output, byte[] begin, string head)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write(input);

        await RunAsync(simulator.ApiBase, input, output);

        Assert.Equal(begin, File.ReadAllBytes(PathOf(output))[..begin.Length]);
        Assert.StartsWith(head, File.ReadAllText(PathOf(output)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "\"'=SUM(\"\"A1\"\")\"")]
    [InlineData(false, "\"=SUM(\"\"A1\"\")\"")]
    public async Task RunAsync_AnswerThatMayBeAFormula_IsGuardedUnlessSwitchedOff(bool guards, string cell)
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(
            200, """{"choices":[{"message":{"content":"=SUM(\"A1\")"},"finish_reason":"stop"}]}"""u8.ToArray()));
        File.WriteAllText(PathOf("in.csv"), "text\n=own()\n+own\n");

        await RunAsync(server.ApiBase, "in.csv", "out.csv", o => o.GuardFormulas = guards);

        Assert.Equal([$"=own(),{cell},stop,,,,", $"+own,{cell},stop,,,,"], File.ReadAllLines(PathOf("out.csv"))[1..]);
        Assert.Equal(guards ? 1 : 0, _notices.Count(notice => notice.StartsWith("2 answers begin like a formula", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task RunAsync_ArrayOfBatchLinesAndBodies_IsRequestsToo()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        object body = new { model = "m", messages = new[] { new { role = "user", content = "one" } } };
        File.WriteAllText(PathOf("in.json"), JsonSerializer.Serialize(
            new[] { new { custom_id = "a", method = "POST", url = "/v1/chat/completions", body }, body },
            s_indented));

        JobResult result = await RunAsync(simulator.ApiBase, "in.json", "out.json", o => o.Template = null);

        Assert.Equal(2, result.Answered);
        List<object?[]> table = OtherLibraries.Read(PathOf("out.json"));
        Assert.Equal(["a", "2"], table[1..].Select(row => row[0]));
        Assert.EndsWith(": one", (string?)table[1][1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_PlainColumnsToParquet_GetTheNarrowestTypeThatHoldsEveryValue()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        File.WriteAllLines(PathOf("in.jsonl"),
        [
            """{"text":"a","whole":1,"mixed":1,"number":1,"large":9007199254740993,"precise":0.12345678901234567890,"list":[1],"flag":true,"none":null,"text2":"1"}""",
            """{"text":"b","whole":9007199254740993,"mixed":"x","number":2.50,"large":0.5,"precise":1,"list":{"a":1},"flag":null,"none":null,"text2":"2"}""",
        ]);

        await RunAsync(simulator.ApiBase, "in.jsonl", "out.parquet");

        List<object?[]> table = OtherLibraries.Read(PathOf("out.parquet"));
        Assert.Equal(["a", 1L, "1", 1.0, "9007199254740993", "0.12345678901234567890", "[1]", true, null, "1"], table[1][..10]);
        Assert.Equal(["b", 9007199254740993L, "x", 2.5, "0.5", "1", "{\"a\":1}", null, null, "2"], table[2][..10]);
    }

    [Theory]
    [InlineData("12.0", "1e1", 12L, 10L)]
    [InlineData("10.5", "99999999999999999999", null, null)]
    [InlineData("\"7\"", "-1e400", null, null)]
    public async Task RunAsync_OddTokenCountsToAnyForm_AreWholeNumbersOrEmpty(string prompt, string completion, long? promptCell, long? completionCell)
    {
        string body = $$$"""{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":{{{prompt}}},"completion_tokens":{{{completion}}}}}""";
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Encoding.UTF8.GetBytes(body)));
        File.WriteAllText(PathOf("in.csv"), "text\none\n");

        foreach (string output in (string[])["out.parquet", "out.xlsx", "out.csv", "out.json"])
        {
            JobResult result = await RunAsync(server.ApiBase, "in.csv", output);

            Assert.Null(result.Stopped);
            object?[] row = OtherLibraries.Read(PathOf(output))[1];
            Assert.Equal([OtherLibraries.Text(promptCell), OtherLibraries.Text(completionCell)], row[4..6].Select(OtherLibraries.Text));
        }
    }

    private void Write(string name)
    {
        string[][] cells = [s_names, .. s_rows.Select(row => row.Select(OtherLibraries.Text).ToArray())];
        switch (name)
        {
            case "in.xlsx":
                OtherLibraries.WriteWorkbook(PathOf(name), s_rows.Select(row => s_names.Zip(row).ToDictionary(cell => cell.First, cell => cell.Second)));
                break;
            case "in.parquet":
                OtherLibraries.WriteParquet(
                    PathOf(name), groupRows: 2, (new Column<string>("id"), Values<string>(0)), (new Column<string>("text"), Values<string>(1)),
                    (new Column<double>("n"), Values<double>(2)), (new Column<long>("whole"), Values<long>(3)),
                    (new Column<Date>("day"), s_rows.Select(row => new Date((DateTime)row[4]!)).ToArray()),
                    (new Column<bool>("flag"), Values<bool>(5)), (new Column<string>("note"), Values<string>(6)));
                break;
            case "in.json":
                File.WriteAllText(PathOf(name), JsonSerializer.Serialize(s_rows.Select(row => s_names.Zip(row).ToDictionary(
                    cell => cell.First, cell => cell.Second is DateTime day ? OtherLibraries.Text(day) : cell.Second)), s_indented));
                break;
            case "in.csv":
                File.WriteAllText(PathOf(name), Table(cells, ';'), new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
                break;
            case "utf16.csv":
                File.WriteAllText(PathOf(name), Table(cells, ','), Encoding.Unicode);
                break;
            default:
                File.WriteAllText(PathOf(name), Table(cells, name == "in.tsv" ? '\t' : '|'));
                break;
        }
    }

    private static string Table(string[][] rows, char separator) => string.Concat(rows.Select(row =>
        string.Join(separator, row.Select(cell => $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"")) + "\n"));

    private static T[] Values<T>(int column) => [.. s_rows.Select(row => (T)row[column]!)];

    private async Task<JobResult> RunAsync(string apiBase, string input, string output, Action<JobOptions>? change = null)
    {
        var options = new JobOptions
        {
            Input = PathOf(input),
            Output = PathOf(output),
            Model = "m",
            Template = new RowTemplate { Prompt = "Say {{text}}", AllowMissing = true },
            OnNotice = _notices.Add,
        };
        change?.Invoke(options);
        await using var manager = new RequestManager(new OpenAIProvider("", apiBase), Quick());
        return await Job.RunAsync(manager, options, CancellationToken.None, Ended);
    }

    private string PathOf(string name) => Path.Combine(_folder.Path, name);
}
