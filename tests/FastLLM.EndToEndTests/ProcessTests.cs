using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>The limits, standard streams and signals of the process.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData(1024, 1500)]
    [InlineData(256, 400)]
    public async Task FewDescriptors_LowerConcurrency(int limit, int rows)
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        _tool.Write("in.jsonl", Rows(rows));

        ToolResult result = await _tool.RunInShellAsync($"ulimit -n {limit}; exec \"$@\"", "run", "in.jsonl", "--base-url", simulator.ApiBase);

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Equal(rows, simulator.Stats.Sends);
        Assert.Equal(2, result.Messages.Split("requests are in flight at once instead of 1000").Length);
        Assert.Contains("ulimit -n", result.Messages, StringComparison.Ordinal);
        Assert.InRange(simulator.Stats.PeakInFlight, 1, limit - 64);
        Assert.Equal(rows, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count(row => row.IsSuccess));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public async Task TooFewDescriptors_AreRefused(int limit)
    {
        _tool.Write("in.jsonl", Rows(2));

        ToolResult result = await _tool.RunInShellAsync($"ulimit -n {limit}; exec \"$@\"", "run", "in.jsonl", "--provider", "simulator");

        Assert.Equal(2, result.Exit);
        Assert.Contains("Raise the limit (ulimit -n)", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FewDescriptors_WithServerInSameProcess_AreEnough()
    {
        _tool.Write("in.jsonl", Rows(300));

        ToolResult result = await _tool.RunInShellAsync("ulimit -n 256; exec \"$@\"", "run", "in.jsonl", "--provider", "simulator");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Equal(300, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count(row => row.IsSuccess));
    }

    [Theory]
    [InlineData("2>&-", 0)]
    [InlineData("2>/dev/full", 0)]
    [InlineData(">&-", 0)]
    [InlineData(">&- 2>&-", 0)]
    [InlineData(">&- 2>&- <&-", 0)]
    [InlineData("--json >/dev/full", 0)]
    [InlineData("--json >/dev/full 2>/dev/full", 0)]
    [InlineData("--json >&-", 2)]
    [InlineData("--json >&- 2>&-", 2)]
    [InlineData("-v 2>&- <&-", 0)]
    public async Task ClosedOrFullStream_DoesNotStopRun(string redirections, int exit)
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        _tool.Write("in.jsonl", Rows(20));

        ToolResult result = await _tool.RunInShellAsync($"exec \"$@\" {redirections}", "run", "in.jsonl", "--base-url", simulator.ApiBase);

        Assert.True(result.Exit == exit, $"{result.Exit}: {result.Messages}");
        Assert.Equal(exit == 0 ? 20 : 0, simulator.Stats.Sends);
        if (exit == 0)
        {
            Assert.Equal(20, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count(row => row.IsSuccess));
        }
        else if (!redirections.Contains("2>", StringComparison.Ordinal))
        {
            Assert.Contains("Standard output is closed", result.Messages, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("run in.jsonl -o - --base-url {0} >/dev/full", 3, "No space left on device")]
    [InlineData("run in.jsonl -o - --base-url {0} >&-", 2, "Standard output is closed")]
    [InlineData("run - -o out.jsonl --base-url {0} <&-", 2, "Standard input is closed")]
    [InlineData("run in.jsonl --dry-run --base-url {0} >/dev/full", 2, "No space left on device")]
    [InlineData("run in.jsonl --dry-run --base-url {0} >&-", 2, "Standard output is closed")]
    [InlineData("run in.jsonl --dry-run --json --base-url {0} >/dev/full", 2, "No space left on device. ")]
    [InlineData("cache stats --cache cache >/dev/full", 2, "")]
    [InlineData("report in.jsonl -o - >&-", 2, "")]
    [InlineData("simulate >&-", 2, "Standard output is closed")]
    [InlineData("providers >/dev/full", 2, "No space left on device")]
    [InlineData("validate in.jsonl >/dev/full", 2, "No space left on device")]
    [InlineData("validate - <&-", 2, "Standard input is closed")]
    [InlineData("--help >/dev/full", 2, "No space left on device")]
    [InlineData("--help >&-", 2, "Standard output is closed")]
    [InlineData("run nonesuch 2>&-", 2, "")]
    [InlineData("run nonesuch 2>/dev/full", 2, "")]
    [InlineData("--version >/dev/full", 2, "")]
    [InlineData("--version >&- 2>&-", 2, "")]
    public async Task UnusableStream_IsReported(string command, int exit, string message)
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        _tool.Write("in.jsonl", Rows(20));

        ToolResult result = await _tool.RunInShellAsync($"exec \"$@\" {string.Format(CultureInfo.InvariantCulture, command, simulator.ApiBase)}");

        Assert.True(result.Exit == exit, $"{result.Exit}: {result.Messages}");
        Assert.Contains(message, result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OutputToFullDisk_AnswersAreInTheCache()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        _tool.Write("in.jsonl", Rows(20));

        ToolResult full = await _tool.RunInShellAsync("exec \"$@\" >/dev/full", "run", "in.jsonl", "-o", "-", "--base-url", simulator.ApiBase);
        long sends = simulator.Stats.Sends;
        ToolResult again = await _tool.RunAsync("run", "in.jsonl", "-o", "-", "--base-url", simulator.ApiBase);

        Assert.Equal((3, 0), (full.Exit, again.Exit));
        Assert.Equal(20, again.Output.Count(c => c == '\n'));
        Assert.Equal(20, simulator.Stats.Sends);
        Assert.InRange(sends, 1, 20);
    }

    [Fact]
    public async Task FullDiskWithoutCache_KeepsWhatIsInFlight_AndSendsNothingMore()
    {
        const string OnSmallDisk = "mkdir -p small && mount -t tmpfs -o size=6m small small";
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        _tool.Write("in.jsonl", Rows(8_000));
        Assert.SkipUnless(
            (await _tool.RunInShellAsync($"exec unshare --mount --map-root-user sh -c '{OnSmallDisk}'")).Exit == 0, "No disk can be mounted here.");

        // Both runs see the same full disk, which is gone when the shell ends.
        ToolResult result = await _tool.RunInShellAsync(
            $"exec unshare --mount --map-root-user bash -c '{OnSmallDisk}; \"$@\"; echo $?; cat small/o >sent; \"$@\"; echo $?; cat small/o >again' small \"$@\"",
            "run", "in.jsonl", "-o", "small/o", "--no-cache", "--concurrency", "20", "--base-url", simulator.ApiBase);

        long sends = simulator.Stats.Sends;
        Assert.True(result.Output == "3\n3\n", result.Output + result.Messages);
        Assert.Contains("The disk of", result.Messages, StringComparison.Ordinal);
        Assert.InRange(sends, 200, 7_999);
        Assert.Equal(sends, OutputRows.Read(_tool.PathOf("sent")).Count(row => row.IsSuccess));
        Assert.Equal(File.ReadAllText(_tool.PathOf("sent")), File.ReadAllText(_tool.PathOf("again")));
    }

    [Fact]
    public async Task SecondInterrupt_CountsWhatWasGivenUp()
    {
        var never = new TaskCompletionSource();
        await using var server = FaultServer.Start((_, _) => never.Task);
        _tool.Write("in.jsonl", Rows(50));

        using RunningTool running = _tool.Start("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "8", "--json");
        await server.WaitForRequestsAsync(8, Ended);
        running.Signal("INT");
        await running.WaitForMessageAsync("Stopping: waiting for 8 in flight");
        running.Signal("INT");
        ToolResult result = await running.WaitAsync();
        never.SetResult(); // the server waits for its handlers

        Assert.True(result.Exit == 130, result.Messages);
        using var done = JsonDocument.Parse(result.Output.TrimEnd('\n').Split('\n')[^1]);
        Assert.Equal((8, 8), (done.RootElement.GetProperty("sent").GetInt32(), done.RootElement.GetProperty("maybe_billed").GetInt32()));
    }

    [Theory]
    [InlineData("HUP")]
    [InlineData("TERM")]
    public async Task Signal_DrainsRun(string signal)
    {
        var release = new TaskCompletionSource();
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            await release.Task;
            await connection.RespondAsync(200, Encoding.UTF8.GetBytes(FastLLM.TestKit.Faults.FaultCases.GoodAnswer));
        });
        _tool.Write("in.jsonl", Rows(50));

        using RunningTool running = _tool.Start("run", "in.jsonl", "--base-url", server.ApiBase, "--concurrency", "4");
        await server.WaitForRequestsAsync(4, Ended);
        running.Signal(signal);
        await running.WaitForMessageAsync("Stopping: waiting for 4 in flight");
        release.SetResult();
        ToolResult result = await running.WaitAsync();

        Assert.True(result.Exit == 130, result.Messages);
        Assert.Equal((4, 4), (server.Requests.Count, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count(row => row.IsSuccess)));
        Assert.Contains("rows:        50 · 4 ok · 0 failed", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task IdWithLineBreaks_StaysOnOneLine()
    {
        string row = """{"custom_id":"a\nrows: 20 ok\u2028b","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"x"}]}}""";
        _tool.Write("in.jsonl", row, row);

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", "http://127.0.0.1:9/v1");

        Assert.Equal(2, result.Exit);
        Assert.DoesNotContain(result.Messages.Split('\n'), line => line.StartsWith("rows", StringComparison.Ordinal));
        Assert.Contains("line 2: custom_id \"a rows: 20 ok b\"", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StoppedRun_CountsOnlyRowsInTheOutput()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(401, default));
        _tool.Write("in.jsonl", [.. Rows(40), .. Rows(40, "again-")]);

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--json");

        Assert.Equal(3, result.Exit);
        Assert.Contains("rows:        80 · 0 ok · 0 failed · 0 cached · 0 shared", result.Messages, StringComparison.Ordinal);
        Assert.DoesNotContain("rows/s", result.Messages, StringComparison.Ordinal);
        Assert.All(result.Output.Split('\n').Where(line => line.Contains("\"completed\":", StringComparison.Ordinal)), line =>
        {
            Assert.Contains("\"completed\":0,\"ok\":0,\"failed\":0,", line, StringComparison.Ordinal);
            Assert.Contains("\"shared\":0,", line, StringComparison.Ordinal);
        });
    }

    [Theory]
    [InlineData("missing.jsonl")]
    [InlineData("in.jsonl", "--max-cost", "much")]
    [InlineData("in.jsonl", "-o", "out.txt")]
    public async Task JsonEvents_OfACommandThatCannotRun_AreTheError(params string[] arguments)
    {
        _tool.Write("in.jsonl", Rows(1));

        ToolResult result = await _tool.RunAsync(["run", .. arguments, "--base-url", "http://127.0.0.1:9/v1", "--json"]);

        using JsonDocument last = JsonDocument.Parse(result.Output);
        Assert.Equal((2, 2, "error"), (result.Exit, last.RootElement.GetProperty("exit_code").GetInt32(), last.RootElement.GetProperty("event").GetString()));
        Assert.Contains(last.RootElement.GetProperty("message").GetString()!, result.Messages, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("20000", "--samples must be from 1 to 10,000.")]
    [InlineData("0", "--samples must be from 1 to 10,000.")]
    public async Task SamplesOutOfRange_NamesRange(string samples, string message)
    {
        _tool.Write("in.jsonl", Rows(1));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", "http://127.0.0.1:9/v1", "--samples", samples);

        Assert.Equal(2, result.Exit);
        Assert.Contains(message, result.Messages, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10", "is too small")]
    [InlineData("lots", "--max-memory")]
    public async Task InvalidMaxMemory_IsRejected(string size, string message)
    {
        _tool.Write("in.jsonl", Rows(1));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", "http://127.0.0.1:9/v1", "--max-memory", size);

        Assert.Equal(2, result.Exit);
        Assert.Contains(message, result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LargeAnswers_WithLittleMemory_Arrive()
    {
        byte[] body = Encoding.UTF8.GetBytes($$"""{"choices":[{"message":{"content":"{{new string('x', 3_000_000)}}"},"finish_reason":"stop"}]}""");
        await using var server = FaultServer.Start((request, connection) => request.Number % 2 == 0
            ? connection.RespondAsync(200, body)
            : RespondInChunksAsync(connection, body));
        _tool.Write("in.jsonl", Rows(60));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", server.ApiBase, "--max-memory", "8MB", "--concurrency", "30");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Equal(60, server.Requests.Count);
        Assert.Equal(60, File.ReadLines(_tool.PathOf("in.out.jsonl")).Count(line => line.Length > 3_000_000));
    }

    private static async Task RespondInChunksAsync(FaultConnection connection, byte[] body)
    {
        await connection.ChunkedHeadAsync(200, ("Content-Type", "application/json"));
        foreach (byte[] chunk in body.Chunk(100_000))
        {
            await connection.ChunkAsync(chunk);
        }

        await connection.ChunkAsync(default);
    }

    private static IEnumerable<string> Rows(int count, string prefix = "row-") => Enumerable.Range(0, count).Select(i => string.Create(
        CultureInfo.InvariantCulture, $$$"""{"custom_id":"{{{prefix}}}{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{i}}}"}]}}"""));
}
