using System.Text.Json;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>What was paid for once is not paid for again, whatever is left of the run that paid.</summary>
public sealed class CacheTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task OutputDeleted_IsWrittenFromTheCache()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(simulator, 0);
        string[] first = Bodies();
        File.Delete(_tool.PathOf("in.out.jsonl"));

        await RunAsync(simulator, 0);
        Assert.Equal(first, Bodies());
        Assert.Equal(40, simulator.Stats.Sends);
    }

    [Fact]
    public async Task CacheDeleted_OutputIsEnough()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(simulator, 0);
        Directory.Delete(_tool.PathOf("caches"), recursive: true);

        await RunAsync(simulator, 0);
        Assert.Equal(40, simulator.Stats.Sends);
    }

    [Fact]
    public async Task OtherEndpoint_SendsEveryRow()
    {
        await using var one = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using var other = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(one, 0);
        File.Delete(_tool.PathOf("in.out.jsonl"));

        await RunAsync(other, 0);
        Assert.Equal((40, 40), (one.Stats.Sends, other.Stats.Sends));
    }

    [Fact]
    public async Task NoCache_NeitherReadsNorStores()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(simulator, 0, "--no-cache");
        Assert.False(Directory.Exists(_tool.PathOf("caches")));
        File.Delete(_tool.PathOf("in.out.jsonl"));

        await RunAsync(simulator, 0, "--no-cache");
        Assert.Equal(80, simulator.Stats.Sends);
    }

    [Fact]
    public async Task Refresh_MatchingFinishReasons_SendsOnce()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        _tool.Write("in.jsonl", [.. Enumerable.Range(0, 20).Select(i => $$"""{"model":"m","max_tokens":{{(i < 5 ? 1 : 100)}},"messages":[{"role":"user","content":"a question {{i}}"}]}""")]);
        Assert.Equal(0, (await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase)).Exit);
        Assert.Equal(20, simulator.Stats.Sends);
        string[] reasons = [.. File.ReadLines(_tool.PathOf("in.out.jsonl")).Select(FinishReason)];
        Assert.Equal(5, reasons.Count(reason => reason == "length"));

        // Once from the output's rows, once from the cache with the output gone.
        Assert.Equal(0, (await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--refresh", "length")).Exit);
        Assert.Equal(25, simulator.Stats.Sends);
        Assert.Equal(20, File.ReadLines(_tool.PathOf("in.out.jsonl")).Count());
        File.Delete(_tool.PathOf("in.out.jsonl"));
        Assert.Equal(0, (await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--refresh", "length,content_filter")).Exit);
        Assert.Equal(30, simulator.Stats.Sends);
        Assert.Equal(0, (await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--refresh", "all")).Exit);
        Assert.Equal(50, simulator.Stats.Sends);
    }

    [Fact]
    public async Task UnusableCache_IsReportedBeforeTheFirstSend()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        WriteRows();
        _tool.Write("file", "not a folder");

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--cache", "file");
        Assert.Equal(2, result.Exit);
        Assert.Contains("--no-cache", result.Messages, StringComparison.Ordinal);
        Assert.Equal(0, simulator.Stats.Sends);
        Assert.False(File.Exists(_tool.PathOf("in.out.jsonl")));
    }

    [Fact]
    public async Task CacheCommand_CountsVerifiesMovesAndClears()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(simulator, 0, "--cache", "one");

        Assert.Equal(40, await EntriesAsync("one"));
        Assert.Equal(0, (await _tool.RunAsync("cache", "verify", "--cache", "one")).Exit);
        Assert.Equal(0, (await _tool.RunAsync("cache", "export", "answers.jsonl", "--cache", "one")).Exit);
        Assert.Equal(2, (await _tool.RunAsync("cache", "export", "answers.jsonl", "--cache", "one")).Exit);
        Assert.Equal(0, (await _tool.RunAsync("cache", "import", "answers.jsonl", "--cache", "two")).Exit);
        Assert.Equal(40, await EntriesAsync("two"));
        File.Delete(_tool.PathOf("in.out.jsonl"));
        await RunAsync(simulator, 0, "--cache", "two");
        Assert.Equal(40, simulator.Stats.Sends);

        Assert.Equal(2, (await _tool.RunAsync("cache", "prune", "--cache", "two")).Exit);
        Assert.Equal(0, (await _tool.RunAsync("cache", "prune", "--cache", "two", "--older-than", "1d")).Exit);
        Assert.Equal(40, await EntriesAsync("two"));
        Assert.Equal(0, (await _tool.RunAsync("cache", "prune", "--cache", "two", "--max-size", "30KB")).Exit);
        Assert.InRange(await EntriesAsync("two"), 0, 30);

        Assert.Equal(2, (await _tool.RunAsync("cache", "clear", "--cache", "one")).Exit);
        Assert.Equal(40, await EntriesAsync("one"));
        Assert.Equal(0, (await _tool.RunAsync("cache", "clear", "--yes", "--cache", "one")).Exit);
        Assert.Equal(0, await EntriesAsync("one"));
        Assert.Equal(2, (await _tool.RunAsync("cache", "stats", "--cache", "none")).Exit);
    }

    [Fact]
    public async Task Import_DamagedLine_KeepsEarlierLines()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(simulator, 0, "--cache", "one");
        await _tool.RunAsync("cache", "export", "answers.jsonl", "--cache", "one");
        string[] lines = File.ReadAllLines(_tool.PathOf("answers.jsonl"));
        lines[9] = lines[9].Replace("question", "answer", StringComparison.Ordinal);
        File.WriteAllLines(_tool.PathOf("answers.jsonl"), lines);

        ToolResult result = await _tool.RunAsync("cache", "import", "answers.jsonl", "--cache", "two");
        Assert.Equal(2, result.Exit);
        Assert.Contains("Line 10 ", result.Messages, StringComparison.Ordinal);
        Assert.Equal(9, await EntriesAsync("two"));
    }

    [Fact]
    public async Task DamagedCache_IsSalvaged_SendsOnlyMissingRows()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await RunAsync(simulator, 0, "--cache", "one");
        File.Delete(_tool.PathOf("in.out.jsonl"));
        using (FileStream database = File.OpenWrite(_tool.PathOf("one/cache.db")))
        {
            database.Write(new byte[100]);
        }

        ToolResult result = await RunAsync(simulator, 0, "--cache", "one");
        Assert.Contains("was damaged", result.Messages, StringComparison.Ordinal);
        Assert.Equal(40, simulator.Stats.Sends);
        Assert.Equal(0, (await _tool.RunAsync("cache", "verify", "--cache", "one")).Exit);
    }

    private static string FinishReason(string line)
    {
        using JsonDocument row = JsonDocument.Parse(line);
        return row.RootElement.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("finish_reason").GetString()!;
    }

    private void WriteRows() =>
        _tool.Write("in.jsonl", [.. Enumerable.Range(0, 40).Select(i => $$"""{"model":"m","messages":[{"role":"user","content":"question {{i}}"}]}""")]);

    private async Task<ToolResult> RunAsync(SimulatorServer simulator, int exit, params string[] options)
    {
        WriteRows();
        ToolResult result = await _tool.RunAsync(["run", "in.jsonl", "--base-url", simulator.ApiBase, .. options]);
        Assert.True(result.Exit == exit, result.Messages);
        return result;
    }

    private async Task<long> EntriesAsync(string cache)
    {
        ToolResult stats = await _tool.RunAsync("cache", "stats", "--json", "--cache", cache);
        using JsonDocument json = JsonDocument.Parse(stats.Output);
        return json.RootElement.GetProperty("entries").GetInt64();
    }

    private string[] Bodies() => [.. File.ReadLines(_tool.PathOf("in.out.jsonl")).Select(line =>
    {
        using JsonDocument row = JsonDocument.Parse(line);
        return row.RootElement.GetProperty("response").GetProperty("body").GetRawText();
    })];
}
