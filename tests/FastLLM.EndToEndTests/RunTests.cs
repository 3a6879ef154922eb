using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>A real file in, a real file out, with the tool as a real process.</summary>
public sealed class RunTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task Run_AnswersEveryRowOnce_InOrder()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), LatencySigma = 0.5 }, Ended);
        _tool.Write("in.jsonl", Rows(300));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--concurrency", "100");

        Assert.True(result.Exit == 0, result.Messages);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("in.out.jsonl"));
        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"row-{i}"), rows.Select(row => row.Id));
        Assert.All(rows, (row, i) => Assert.EndsWith($": question {i}", row.Text, StringComparison.Ordinal));
        Assert.Equal(300, simulator.Stats.Sends);

        ToolResult again = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase);
        Assert.Equal(0, again.Exit);
        Assert.Contains("nothing is left to do", again.Messages, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(300, simulator.Stats.Sends);
    }

    [Fact]
    public async Task Run_StreamedResponses_LookLikePlainOnes()
    {
        var stalled = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();
        await using var server = FaultServer.Start(async (request, connection) =>
        {
            Assert.EndsWith(""","stream":true,"stream_options":{"include_usage":true}}""", request.Text, StringComparison.Ordinal);
            await connection.ChunkedHeadAsync(200, ("Content-Type", "text/event-stream"));
            await connection.ChunkAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"}}]}\n\n"u8.ToArray());
            if (stalled.TryAdd(request.Text, true))
            {
                await connection.StallAsync();
            }

            await connection.ChunkAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"u8.ToArray());
            await connection.ChunkAsync(default);
        });
        _tool.Write("in.jsonl", Rows(5));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--stream", "auto", "--idle-timeout", "1s", "--first-byte-timeout", "60s", "--total-timeout", "120s");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.All(OutputRows.Read(_tool.PathOf("in.out.jsonl")), row => Assert.Equal("hello", row.Text));
        Assert.Equal(10, server.Requests.Count);
        Assert.Contains("5 sends failed after the whole request was sent", result.Messages, StringComparison.Ordinal);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task TotalTimeout_FailsOneRow_AnswersTheOthers()
    {
        await using var server = FaultServer.Start((request, connection) => request.Text.Contains("question 1\"", StringComparison.Ordinal)
            ? connection.RespondAsync(500, default)
            : connection.RespondAsync(200, Answer));
        _tool.Write("in.jsonl", Rows(3));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--retries", "1000", "--total-timeout", "2s");

        Assert.Equal(1, result.Exit);
        Assert.Equal("row-1", Assert.Single(OutputRows.Read(_tool.PathOf("in.out.jsonl")), row => !row.IsSuccess).Id);
    }

    [Fact]
    public async Task Rpm_IsObeyed_AndIsTheBottleneck()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { RequestsPerMinute = 6_000 }, Ended);
        _tool.Write("in.jsonl", Rows(300));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--rpm", "6,000");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Equal(300, simulator.Stats.Sends);
        Assert.Contains("bottleneck:  requests/min", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestsPerDay_UsedUp_StopsTheRun_CanBeResumed()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        _tool.Write("in.jsonl", Rows(30));

        ToolResult stopped = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--rpd", "20");
        Assert.Equal(3, stopped.Exit);
        Assert.Equal(20, simulator.Stats.Sends);
        Assert.Contains("resume:      fastllm run in.jsonl", stopped.Messages, StringComparison.Ordinal);

        ToolResult sameDay = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--rpd", "20");
        Assert.Equal((3, 20), (sameDay.Exit, simulator.Stats.Sends));

        ToolResult done = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase);
        Assert.Equal(0, done.Exit);
        Assert.Equal(30, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RejectedRows_FailAlone()
    {
        await using var server = FaultServer.Start((request, connection) => request.Text.Contains("question 7", StringComparison.Ordinal)
            ? connection.RespondAsync(400, """{"error":{"message":"not this one","type":"invalid_request_error","param":null,"code":null}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer));
        _tool.Write("in.jsonl", Rows(60));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.ApiBase);

        Assert.Equal(1, result.Exit);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("out.jsonl"));
        Assert.Equal(60, rows.Count);
        Assert.Equal(["row-7"], rows.Where(row => !row.IsSuccess).Select(row => row.Id));
        Assert.Contains("not this one", rows[7].Text, StringComparison.Ordinal);
        Assert.Equal(60, server.Requests.Count);
    }

    [Theory]
    [InlineData("duplicate ids", """{"custom_id":"row-0","url":"/v1/chat/completions","method":"POST","body":{"model":"m","messages":[]}}""", "line 1")]
    [InlineData("broken JSON", """{"custom_id":"x","body":{""", "line 4")]
    [InlineData("a bad url", """{"custom_id":"x","url":"https://evil.test/v1/chat/completions","body":{"model":"m","messages":[]}}""", "line 4")]
    [InlineData("no request", """{"hello":"world"}""", "line 4")]
    public async Task InvalidInput_IsRejectedAsAWhole(string what, string line, string names)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.jsonl", [.. Rows(3), line]);

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase);

        Assert.Equal(2, result.Exit);
        Assert.Contains(names, result.Messages, StringComparison.Ordinal);
        Assert.NotEmpty(what);
        Assert.Equal(0, simulator.Stats.Sends);
        Assert.False(File.Exists(_tool.PathOf("in.out.jsonl")));
    }

    [Fact]
    public async Task UnknownInputOrOption_ExitsWith2()
    {
        Assert.Equal(2, (await _tool.RunAsync("run", "missing.jsonl", "--provider", "simulator")).Exit);
        Assert.Equal(2, (await _tool.RunAsync("run", "in.jsonl", "--no-such-flag")).Exit);
        _tool.Write("in.jsonl", Rows(1));
        ToolResult noProvider = await _tool.RunAsync("run", "in.jsonl");
        Assert.Equal(2, noProvider.Exit);
        Assert.Contains("--provider simulator", noProvider.Messages, StringComparison.Ordinal);
        Assert.Contains("--base-url", noProvider.Messages, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_tool.Folder, "*.out.jsonl"));
    }

    [Fact]
    public async Task SkipInvalid_InvalidLines_BecomeFailedRows()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.jsonl", [.. Rows(3), "{broken", .. Rows(5).Skip(2)]);

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--skip-invalid");

        Assert.Equal(1, result.Exit);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("in.out.jsonl"));
        Assert.Equal(["row-0", "row-1", "row-2", "(line 4)", "row-2 (line 5)", "row-3", "row-4"], rows.Select(row => row.Id));
        Assert.Equal([true, true, true, false, false, true, true], rows.Select(row => row.IsSuccess));
    }

    [Fact]
    public async Task Run_FromPipeToPipe_AnswersEveryRow()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        using RunningTool tool = _tool.Start("run", "-", "-o", "-", "--order", "input", "--base-url", simulator.ApiBase);
        foreach (string row in Rows(50))
        {
            await tool.Process.StandardInput.WriteLineAsync(row);
        }

        ToolResult result = await tool.WaitAsync();

        Assert.True(result.Exit == 0, result.Messages);
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"row-{i}"), lines.Select(line => OutputRows.Parse(line).Id));
    }

    [Fact]
    public async Task QuotaExhausted_StopsTheRun_CanBeResumed()
    {
        var paid = 0;
        var empty = true;
        await using var server = FaultServer.Start((_, connection) => empty && Interlocked.Increment(ref paid) > 20
            ? connection.RespondAsync(429, """{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":null}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer));
        _tool.Write("in.jsonl", Rows(100));

        ToolResult stopped = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "5");
        Assert.Equal(3, stopped.Exit);
        Assert.Contains("fastllm run in.jsonl", stopped.Messages, StringComparison.Ordinal);
        Assert.InRange(server.Requests.Count, 30, 45);
        empty = false;

        ToolResult resumed = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase);
        Assert.True(resumed.Exit == 0, resumed.Messages);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("in.out.jsonl"));
        Assert.Equal(100, rows.Count(row => row.IsSuccess));
        Assert.InRange(server.Requests.Count, 100, 125);
    }

    [Fact]
    public async Task Interrupt_WritesWhatIsInFlight_CanBeResumed()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        _tool.Write("in.jsonl", Rows(200));
        using RunningTool tool = _tool.Start("run", "in.jsonl", "--base-url", simulator.ApiBase, "--concurrency", "10");
        await Task.WhenAny(simulator.UntilAsync(stats => stats.Count("/v1/chat/completions", 200) >= 10, Ended), tool.Process.WaitForExitAsync(Ended));

        tool.Signal("INT");
        ToolResult interrupted = await tool.WaitAsync();

        Assert.Equal(130, interrupted.Exit);
        Assert.Contains("fastllm run in.jsonl", interrupted.Messages, StringComparison.Ordinal);
        long sent = simulator.Stats.Sends;
        Assert.Equal(sent, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count);

        ToolResult resumed = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--concurrency", "100");
        Assert.True(resumed.Exit == 0, resumed.Messages);
        Assert.Equal(200, simulator.Stats.Sends);
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"row-{i}"), OutputRows.Read(_tool.PathOf("in.out.jsonl")).Select(row => row.Id));
    }

    [Fact]
    public async Task Kill_AtAnyMoment_IsResumedWithEveryRowOnce()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20), LatencySigma = 1 }, Ended);
        _tool.Write("in.jsonl", Rows(400));
        var random = new Random(20261123);
        for (var kill = 0; kill < 4; kill++)
        {
            long seen = simulator.Stats.Count("/v1/chat/completions", 200);
            long until = seen + random.Next(5, 60);
            using RunningTool tool = _tool.Start("run", "in.jsonl", "--base-url", simulator.ApiBase, "--concurrency", "10");
            await Task.WhenAny(simulator.UntilAsync(stats => stats.Count("/v1/chat/completions", 200) >= until, Ended), tool.Process.WaitForExitAsync(Ended));

            tool.Process.Kill();
            await tool.WaitAsync();
            if (random.Next(2) == 0 && File.Exists(_tool.PathOf("in.out.jsonl")))
            {
                // As if the last write had been cut.
                using FileStream output = File.OpenWrite(_tool.PathOf("in.out.jsonl"));
                output.SetLength(Math.Max(0, output.Length - random.Next(1, 400)));
            }
        }

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--concurrency", "50");

        Assert.True(result.Exit == 0, result.Messages);
        List<OutputRow> rows = OutputRows.Read(_tool.PathOf("in.out.jsonl"));
        Assert.Equal(Enumerable.Range(0, 400).Select(i => $"row-{i}"), rows.Select(row => row.Id));
        Assert.All(rows, (row, i) => Assert.EndsWith($": question {i}", row.Text, StringComparison.Ordinal));

        // At most what was in flight at each kill, what was received but on its way to the disk (5 ms of answers), and the row that each cut took, was sent again.
        Assert.InRange(simulator.Stats.Sends, 400, 400 + (4 * 21));
    }

    [Fact]
    public async Task Validate_ReportsMistakes_SendsNothing()
    {
        _tool.Write("good.jsonl", Rows(5));
        _tool.Write("bad.jsonl", [.. Rows(2), "nonsense"]);

        ToolResult good = await _tool.RunAsync("validate", "good.jsonl");
        ToolResult bad = await _tool.RunAsync("validate", "bad.jsonl");

        Assert.Equal(0, good.Exit);
        Assert.Equal(2, bad.Exit);
        Assert.Contains("line 3", bad.Output + bad.Messages, StringComparison.Ordinal);
    }

    private static readonly byte[] Answer = """{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"""u8.ToArray();

    private static IEnumerable<string> Rows(int count) => Enumerable.Range(0, count).Select(i =>
        $$$"""{"custom_id":"row-{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{i}}}"}]}}""");
}
