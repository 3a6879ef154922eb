using System.Text.Json;
using FastLLM.Pipeline;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary><c>fastllm report</c> over what a run has left.</summary>
public sealed class ReportTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task Report_IsWrittenBesideTheOutput()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20) }, Ended);
        _tool.Write("in.jsonl", [.. Enumerable.Range(0, 60).Select(i => $$$"""{"custom_id":"row-{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{i % 50}}}"}]}}""")]);
        ToolResult run = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--concurrency", "2");
        Assert.True(run.Exit == 0, run.Messages);

        ToolResult report = await _tool.RunAsync("report", "in.out.jsonl", "--json");

        Assert.True(report.Exit == 0, report.Messages);
        JsonElement numbers = JsonDocument.Parse(report.Output).RootElement;
        Assert.Equal(60, numbers.GetProperty("rows").GetInt64());
        Assert.Equal(10, numbers.GetProperty("cached").GetInt64() + numbers.GetProperty("shared").GetInt64());
        Assert.Equal(50, numbers.GetProperty("sends").GetInt64());
        Assert.Equal(50, numbers.GetProperty("latency_ms").GetProperty("rows").GetInt64());
        Assert.Contains(numbers.GetProperty("limited_by").EnumerateArray(), factor => factor.GetProperty("name").GetString() == "concurrency");
        Assert.False(numbers.GetProperty("times_are_the_providers").GetBoolean());
        string page = await File.ReadAllTextAsync(_tool.PathOf("in.out.report.html"), Ended);
        Assert.StartsWith("<!doctype html>", page, StringComparison.Ordinal);
        Assert.Contains("row-59", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Report_WithoutJson_PrintsThePath_AndReplacesThePage()
    {
        _tool.Write("a.jsonl", Row("a"));

        ToolResult first = await _tool.RunAsync("report", "a.jsonl");
        _tool.Write("a.jsonl", Row("a"), Row("b"));
        ToolResult second = await _tool.RunAsync("report", "a.jsonl");

        Assert.Equal((0, 0), (first.Exit, second.Exit));
        Assert.Equal("a.report.html", second.Output.Trim());
        Assert.Contains("2 rows: 2 answered, 0 failed.", second.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Report_IntoAPipe_WritesOnlyThePage()
    {
        _tool.Write("a.jsonl", Row("a"));

        ToolResult report = await _tool.RunAsync("report", "a.jsonl", "-o", "-");

        Assert.Equal(0, report.Exit);
        Assert.StartsWith("<!doctype html>", report.Output, StringComparison.Ordinal);
        Assert.EndsWith("</html>\n", report.Output, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(_tool.Folder));
    }

    [Theory]
    [InlineData("is not the output of a run", "in.jsonl")]
    [InlineData("File not found", "missing.jsonl")]
    [InlineData("is not overwritten", "a.jsonl", "-o", "in.jsonl")]
    [InlineData("is not overwritten", "a.jsonl", "-o", "a.jsonl")]
    [InlineData("both write to standard output", "a.jsonl", "-o", "-", "--json")]
    [InlineData("is a folder", ".")]
    public async Task Report_Impossible_ExitsWith2(string says, params string[] arguments)
    {
        _tool.Write("a.jsonl", Row("a"));
        _tool.Write("in.jsonl", """{"custom_id":"a","body":{}}""");
        string before = string.Concat(Directory.GetFiles(_tool.Folder).Order().Select(File.ReadAllText));

        ToolResult report = await _tool.RunAsync(["report", .. arguments]);

        Assert.Equal(2, report.Exit);
        Assert.Contains(says, report.Messages, StringComparison.Ordinal);
        Assert.Equal(before, string.Concat(Directory.GetFiles(_tool.Folder).Order().Select(File.ReadAllText)));
    }

    private static string Row(string id) => $$$"""{"custom_id":"{{{id}}}","response":{"status_code":200,"body":{"choices":[]}},"error":null}""";
}
