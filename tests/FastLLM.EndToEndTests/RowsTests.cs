using System.IO.Compression;
using System.Text.Json;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Plain rows in, plain rows out, with the tool as a real process.</summary>
public sealed class RowsTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task EqualRows_InThreeFormats_AreSentOnce()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        string[] questions = [.. Enumerable.Range(1, 100).Select(i => $"{i}. How much is \"{i}\",\nexactly: {{{{{i}}}}}?")];
        _tool.Write("rows.jsonl", questions.Select(q => JsonSerializer.Serialize(new { q })));
        _tool.Write("rows.csv", questions.Select(q => $"\"{q.Replace("\"", "\"\"", StringComparison.Ordinal)}\"").Prepend("q"));
        _tool.Write("batch.jsonl", questions.Select((q, i) => JsonSerializer.Serialize(new
        {
            custom_id = $"row-{i}",
            method = "POST",
            url = "/v1/chat/completions",
            body = new { model = "m", temperature = 0.2, messages = new object[] { new { role = "system", content = "Be brief." }, new { role = "user", content = $"Q: {q}" } } },
        })));
        string[] asks = ["--template", "Q: {{q}}", "--system", "Be brief.", "--set", "temperature=0.2", "--model", "m", "--base-url", simulator.ApiBase];

        Assert.Equal(0, (await _tool.RunAsync(["run", "rows.jsonl", .. asks])).Exit);
        Assert.Equal(100, simulator.Stats.Sends);
        ToolResult table = await _tool.RunAsync(["run", "rows.csv", "-o", "table.jsonl", .. asks]);
        Assert.True(table.Exit == 0, table.Messages);
        Assert.Contains("100 cached", table.Messages, StringComparison.Ordinal);
        Assert.Equal(0, (await _tool.RunAsync("run", "batch.jsonl", "--base-url", simulator.ApiBase)).Exit);

        Assert.Equal(100, simulator.Stats.Sends);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("rows.out.jsonl"));
        Assert.All(rows, (row, i) => Assert.Equal(questions[i], row.Json.GetProperty("fastllm").GetProperty("metadata").GetProperty("q").GetString()));
        Assert.Equal(rows.Select(row => row.Text), OutputRows.Read(_tool.PathOf("table.jsonl")).Select(row => row.Text));
        Assert.Equal(rows.Select(row => row.Text), OutputRows.Read(_tool.PathOf("batch.out.jsonl")).Select(row => row.Text));
    }

    [Fact]
    public async Task CompressedTable_ThroughAPipe_BecomesJsonLines()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        byte[] packed = Packed("id,text\n1,one\n2,two\n");

        ToolResult result = await PipeAsync(packed, "run", "-", "-o", "out.csv", "--template", "Say {{text}}", "--model", "m", "--base-url", simulator.ApiBase);
        Assert.True(result.Exit == 0, result.Messages);
        string[] lines = File.ReadAllText(_tool.PathOf("out.csv")).TrimEnd().Split('\n');
        Assert.Equal("id,text,answer,finish_reason,error,prompt_tokens,completion_tokens,cost", lines[0]);
        Assert.StartsWith("2,two,Answer ", lines[2], StringComparison.Ordinal);

        ToolResult wrong = await PipeAsync(packed, "run", "-", "--template", "Say {{txt}}", "--model", "m", "--base-url", simulator.ApiBase);
        Assert.Equal(2, wrong.Exit);
        Assert.Contains("{{txt}}, but there is no such column. Did you mean {{text}}? The columns are: id, text.", wrong.Messages, StringComparison.Ordinal);
        Assert.Equal(2, simulator.Stats.Sends);
    }

    [Theory]
    [InlineData("before-rename", 0)]
    [InlineData("mid-output-line", 20)]
    [InlineData("after-commit-before-output", 20)]
    public async Task Kill_TableJob_IsResumedToAWholeTable(string point, int mostAgain)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.csv", Enumerable.Range(0, 20).Select(i => $"{i}").Prepend("n"));
        string[] command = ["run", "in.csv", "-o", "out.csv", "--template", "Say {{n}}", "--model", "m", "--no-cache", "--base-url", simulator.ApiBase];
        _tool.Environment["FASTLLM_KILL_POINT"] = point;
        Assert.NotEqual(0, (await _tool.RunAsync(command)).Exit);
        Assert.False(File.Exists(_tool.PathOf("out.csv")));
        _tool.Environment.Remove("FASTLLM_KILL_POINT");

        ToolResult again = await _tool.RunAsync(command);

        Assert.True(again.Exit == 0, again.Messages);
        Assert.Equal(Enumerable.Range(0, 20), File.ReadAllLines(_tool.PathOf("out.csv")).Skip(1).Select(line => int.Parse(line.Split(',')[0], System.Globalization.CultureInfo.InvariantCulture)));
        Assert.InRange(simulator.Stats.Sends, 20, 20 + mostAgain);
        Assert.Equal(["in.csv", "out.csv", "out.csv.log.jsonl"], Directory.GetFileSystemEntries(_tool.Folder).Select(path => Path.GetFileName(path)).Where(name => !name.EndsWith(".torn", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    /// <summary>Options, and what is said of them.</summary>
    public static TheoryData<string[], string> Mistakes => new()
    {
        { [], "A table needs a prompt for its rows" },
        { ["--template", "{{txt}}"], "The columns are: text, label." },
        { ["--template", "{{text}}"], "line 3: The column \"text\" is empty." },
        { ["--template", "{{text"], "without closing braces" },
        { ["--template", "@none.txt"], "File not found: none.txt. To begin a text with @, use @@." },
        { ["--template", "{{text}}", "--set", "effort=high"], "Text needs quotes: --set 'effort=\"high\"'" },
        { ["--template", "{{text}}", "--set", "temperature"], "Use NAME=JSON" },
        { ["--template", "{{text}}", "--set", "seed=1", "--set", "seed=2"], "occurs twice" },
        { ["--template", "{{text}}", "--endpoint", "/v1/other"], "is not one of /v1/chat/completions" },
        { ["--template", "{{text}}", "--endpoint", "/v1/embeddings", "--system", "x"], "System text is for" },
        { ["--template", "{{text}}", "--allow-missing", "--id-column", "nr"], "There is no column \"nr\" for the IDs of the rows" },
        { ["--template", "{{text}}", "--input-format", "openai"], "A template is for plain rows" },
        { ["--system", "x"], "--system requires --template" },
        { ["--set", "seed=1"], "--set requires --template" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task Mistakes_AreReportedBeforeTheFirstSend(string[] options, string says)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.csv", "text,label", "a,b", ",c");

        ToolResult checkedOnly = await _tool.RunAsync(["validate", "in.csv", .. options]);
        ToolResult run = await _tool.RunAsync(["run", "in.csv", "--base-url", simulator.ApiBase, "--model", "m", .. options]);

        Assert.Equal((2, 2, 0), (checkedOnly.Exit, run.Exit, simulator.Stats.Sends));
        Assert.Contains(says, checkedOnly.Messages, StringComparison.Ordinal);
        Assert.Contains(says, run.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TextFiles_LoseTheirLastLineFeed()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.csv", "text", "a");
        _tool.Write("prompt.txt", "Say {{text}}");
        _tool.Write("chat.json", """[{"role":"user","content":"Say {{text}}"}]""");
        _tool.Write("schema.json", """{"type":"text"}""");
        string[] ends = ["--set", "response_format=@schema.json", "--model", "m", "--base-url", simulator.ApiBase];

        Assert.Equal(0, (await _tool.RunAsync(["run", "in.csv", "-o", "1.csv", "--template", "@prompt.txt", .. ends])).Exit);
        Assert.Equal(0, (await _tool.RunAsync(["run", "in.csv", "-o", "2.csv", "--template", "@chat.json", .. ends])).Exit);
        Assert.Equal(0, (await _tool.RunAsync(["run", "in.csv", "-o", "3.csv", "--template", "Say {{text}}", .. ends])).Exit);

        Assert.Equal(1, simulator.Stats.Sends);
    }

    private async Task<ToolResult> PipeAsync(byte[] input, params string[] arguments)
    {
        using RunningTool tool = _tool.Start(arguments);
        await tool.Process.StandardInput.BaseStream.WriteAsync(input, Ended);
        return await tool.WaitAsync();
    }

    private static byte[] Packed(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(System.Text.Encoding.UTF8.GetBytes(text));
        }

        return packed.ToArray();
    }
}
