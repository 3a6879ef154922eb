using System.Globalization;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Runs that stop early because going on is pointless, and the printed command that finishes them.</summary>
public sealed class StopTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task QuotaExhausted_PrintedCommandFinishesTheRun()
    {
        var paid = 0;
        var isFull = false;
        await using var server = FaultServer.Start((_, connection) => Volatile.Read(ref isFull) || Interlocked.Increment(ref paid) <= 100
            ? connection.RespondAsync(200, Answer)
            : connection.RespondAsync(429, """{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":null}}"""u8.ToArray()));
        _tool.Write("in.jsonl", Rows(300));

        ToolResult stopped = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "20");

        Assert.True(stopped.Exit == 3, stopped.Messages);

        // At most twenty that were in flight, a few of them once more, and three probes.
        Assert.InRange(server.Requests.Count, 101, 130);
        Assert.Contains("Add credit", stopped.Messages, StringComparison.Ordinal);
        Assert.All(OutputRows.Read(_tool.PathOf("in.out.jsonl")), row => Assert.True(row.IsSuccess));

        Volatile.Write(ref isFull, true);
        int sent = server.Requests.Count;
        ToolResult done = await _tool.RunAsync(GoOn(stopped).Split(' ')[1..]);

        Assert.True(done.Exit == 0, done.Messages);
        Assert.Equal(300, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count(row => row.IsSuccess));
        Assert.Equal(200, server.Requests.Count - sent);
    }

    [Fact]
    public async Task InvalidParameterInEveryRow_StopsTheRun_RowsAreSentAgain()
    {
        var mended = false;
        await using var server = FaultServer.Start((request, connection) => Volatile.Read(ref mended)
            ? connection.RespondAsync(200, Answer)
            : connection.RespondAsync(400, System.Text.Encoding.UTF8.GetBytes($$$"""{"error":{"message":"Unknown parameter: 'x{{{request.Number}}}'.","type":"invalid_request_error","code":"unknown_parameter"}}""")));
        _tool.Write("in.jsonl", Rows(500));

        ToolResult stopped = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "5");

        Assert.True(stopped.Exit == 3, stopped.Messages);
        Assert.InRange(server.Requests.Count, 10, 17);
        Assert.Contains("all refused in the same way", stopped.Messages, StringComparison.Ordinal);
        Assert.False(File.Exists(_tool.PathOf("in.out.jsonl")));

        Volatile.Write(ref mended, true);
        ToolResult done = await _tool.RunAsync(GoOn(stopped).Split(' ')[1..]);

        Assert.True(done.Exit == 0, done.Messages);
        Assert.All(OutputRows.Read(_tool.PathOf("in.out.jsonl")), row => Assert.True(row.IsSuccess));
    }

    [Fact]
    public async Task AnswerThatKeepsAPatternBusy_FailsItsRow()
    {
        byte[] answer = """
            {"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",
            "content":"{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"}"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}
            """u8.ToArray();
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, answer));
        _tool.Write("in.jsonl", Rows(1));
        _tool.Write("schema.json", """{"type":"object","properties":{"a":{"type":"string","pattern":"^(a+)+$"}}}""");

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--schema", "schema.json");

        Assert.True(result.Exit == 1, result.Messages);
        Assert.Contains("takes too long", File.ReadAllText(_tool.PathOf("in.out.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task InvalidRowsAmongValidOnes_FailAlone()
    {
        await using var server = FaultServer.Start(async (request, connection) =>
        {
            // The first nine rows are bad, and all answers come after their refusals.
            bool isBad = Enumerable.Range(0, 9).Any(i => request.Text.Contains(string.Create(CultureInfo.InvariantCulture, $"question {i}\""), StringComparison.Ordinal));
            await connection.RespondAsync(isBad ? 400 : 200, isBad ? default : Answer);
        });
        _tool.Write("in.jsonl", Rows(60));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "1");

        Assert.True(result.Exit == 1, result.Messages);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("in.out.jsonl"));
        Assert.Equal((60, 9), (rows.Count, rows.Count(row => !row.IsSuccess)));
    }

    [Theory]
    [InlineData("5", 3)]
    [InlineData("10%", 3)]
    [InlineData("100%", 1)]
    public async Task MaxErrors_Exceeded_StopsTheRun(string most, int exit)
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(request.Number % 2 == 0 ? 400 : 200, request.Number % 2 == 0 ? default : Answer));
        _tool.Write("in.jsonl", Rows(400));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "2", "--max-errors", most);

        Assert.True(result.Exit == exit, result.Messages);
        Assert.Equal(exit == 1 ? 400 : OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count, server.Requests.Count);
        if (exit == 3)
        {
            Assert.Contains("--max-errors", result.Messages, StringComparison.Ordinal);
            Assert.InRange(server.Requests.Count, 7, 150);
        }
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("101%")]
    [InlineData("many")]
    public async Task MaxErrors_Invalid_IsRejected(string most)
    {
        _tool.Write("in.jsonl", Rows(1));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", "http://127.0.0.1:9/v1", $"--max-errors={most}");

        Assert.Equal(2, result.Exit);
        Assert.Contains("--max-errors", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outage_IsReportedOnce_FailsNothing()
    {
        await using var server = FaultServer.Start((request, connection) => request.Number <= 20 ? connection.RespondAsync(503, default) : connection.RespondAsync(200, Answer));
        _tool.Write("in.jsonl", Rows(200));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "20");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Equal(2, result.Messages.Split("The provider is down").Length);
        Assert.Equal(2, result.Messages.Split("The provider is up again").Length);
        Assert.Equal(220, server.Requests.Count);
    }

    [Fact]
    public async Task Proxy_IsReportedWithoutCredentials_KeyIsNowhere()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(401, System.Text.Encoding.UTF8.GetBytes(request.Header("Authorization") ?? "")));
        _tool.Write("in.jsonl", Rows(3));
        _tool.Environment["CANARY_KEY"] = "sk-canary-5f3c9a1e77d2";
        _tool.Environment["http_proxy"] = $"http://user:hush-hush@127.0.0.1:{server.Port}";

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", "http://10.1.2.3/v1", "--api-key-env", "CANARY_KEY", "-v");

        Assert.True(result.Exit == 3, result.Messages);
        Assert.Contains($"go through the proxy http://127.0.0.1:{server.Port}", result.Messages, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-hush", result.Messages, StringComparison.Ordinal);
        Assert.NotEmpty(server.Requests);
        string everything = result.Messages + result.Output
            + string.Concat(Directory.EnumerateFiles(_tool.Folder, "*", SearchOption.AllDirectories).Select(path => System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(path))));
        Assert.DoesNotContain("sk-canary", everything, StringComparison.Ordinal);
    }

    private static string GoOn(ToolResult stopped)
    {
        string line = stopped.Messages.Split('\n').Single(line => line.Contains("resume:      fastllm", StringComparison.Ordinal));
        return line[line.IndexOf("fastllm", StringComparison.Ordinal)..].Trim();
    }

    private static byte[] Answer { get; } = System.Text.Encoding.UTF8.GetBytes(FastLLM.TestKit.Faults.FaultCases.GoodAnswer);

    private static IEnumerable<string> Rows(int count) => Enumerable.Range(0, count).Select(i => string.Create(
        CultureInfo.InvariantCulture, $$$"""{"custom_id":"row-{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{i}}}"}]}}"""));
}
