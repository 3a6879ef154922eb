using System.Text.Json;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Before the money and while it is spent: what the tool says, and what it does not spend.</summary>
public sealed class CostTests : IDisposable
{
    private readonly Tool _tool = new();

    public CostTests()
    {
        _tool.Write("prices.json", """{"acme/m":{"litellm_provider":"acme","mode":"chat","max_output_tokens":1000,"input_cost_per_token":1e-06,"output_cost_per_token":2e-06}}""");
        _tool.Write("in.jsonl", Rows(200));
    }

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task DryRun_AfterSomeResponses_EstimatesTokens()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        ToolResult before = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--dry-run");
        Assert.True(before.Exit == 0, before.Messages);
        Assert.All(
            (string[])["200 distinct", "200 to send", "cost:     $", "no data yet", "first:    POST /v1/chat/completions {\"model\":\"m\"", "Nothing was sent."],
            text => Assert.Contains(text, before.Output, StringComparison.Ordinal));
        Assert.Equal(0, simulator.Stats.Sends);
        Assert.False(File.Exists(_tool.PathOf("in.out.jsonl")));

        await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--limit", "50");
        ToolResult after = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--dry-run", "--json");
        Assert.Equal(50, simulator.Stats.Sends);
        JsonElement estimate = JsonDocument.Parse(after.Output).RootElement;
        Assert.Equal(("estimate", 50, 150), (estimate.GetProperty("event").GetString(), estimate.GetProperty("kept").GetInt32(), estimate.GetProperty("to_send").GetInt32()));
        JsonElement model = estimate.GetProperty("models")[0];
        long thought = model.GetProperty("prompt_tokens").GetProperty("likely").GetInt64() + model.GetProperty("completion_tokens").GetProperty("likely").GetInt64();

        ToolResult rest = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--json");
        JsonElement done = JsonDocument.Parse(rest.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]).RootElement;
        long real = done.GetProperty("prompt_tokens").GetInt64() + done.GetProperty("completion_tokens").GetInt64();
        Assert.InRange((double)thought / real, 0.8, 1.2);
        decimal told = estimate.GetProperty("cost").GetProperty("likely").GetDecimal();
        Assert.InRange(done.GetProperty("cost").GetDecimal(), told * 0.8m, told * 1.2m);
        Assert.Equal(done.GetProperty("job_cost").GetDecimal(), RowCosts().Sum());
    }

    [Fact]
    public async Task DryRun_WithoutKeyAndProvider_Works()
    {
        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--dry-run");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Contains("no price for \"m\"", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxCost_Exceeded_StopsTheRun_HigherOneFinishes()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(5) }, Ended);

        ToolResult first = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--max-cost", "0.01");

        Assert.True(first.Exit == 3, first.Messages);
        Assert.All(
            (string[])["The budget of $0.01 is used up", "raise --max-cost", "resume:      fastllm run in.jsonl"],
            text => Assert.Contains(text, first.Messages, StringComparison.Ordinal));
        Assert.InRange(RowCosts().Sum(), 0.005m, 0.01m);
        Assert.Equal(simulator.Stats.Sends, RowCosts().Count);

        ToolResult second = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--max-cost", "1", "--json");

        Assert.True(second.Exit == 0, second.Messages);
        Assert.Equal(200, simulator.Stats.Sends);
        JsonElement done = JsonDocument.Parse(second.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]).RootElement;
        Assert.Equal((RowCosts().Sum(), 1m), (done.GetProperty("job_cost").GetDecimal(), done.GetProperty("max_cost").GetDecimal()));
    }

    [Fact]
    public async Task MaxCost_UnboundedRows_AreRejected()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--max-cost", "1");

        Assert.Equal(2, result.Exit);
        Assert.Contains("line 1: ", result.Messages, StringComparison.Ordinal);
        Assert.Contains("--prices", result.Messages, StringComparison.Ordinal);
        Assert.Equal(0, simulator.Stats.Sends);
        Assert.False(File.Exists(_tool.PathOf("in.out.jsonl")));
    }

    [Theory]
    [InlineData("0.001", 2)]
    [InlineData("1", 0)]
    public async Task ConfirmAbove_WithoutTerminal_RejectsHigherEstimates(string above, int exit)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--confirm-above", above);

        Assert.True(result.Exit == exit, result.Messages);
        Assert.Equal(exit == 2, result.Messages.Contains("there is no terminal to ask on. Nothing was sent.", StringComparison.Ordinal));
        Assert.Equal(exit == 2 ? 0 : 200, simulator.Stats.Sends);
    }

    [Fact]
    public async Task ConfirmAbove_UnknownPrice_IsRejected()
    {
        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", "http://127.0.0.1:1/v1", "--confirm-above", "1000");

        Assert.Equal(2, result.Exit);
        Assert.Contains("no price for \"m\"", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxCost_AfterAKill_CountsWhatWasInFlight()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        using (RunningTool tool = _tool.Start("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--max-cost", "1", "--concurrency", "20"))
        {
            await Task.WhenAny(simulator.UntilAsync(stats => stats.Count("/v1/chat/completions", 200) >= 30, Ended), tool.Process.WaitForExitAsync(Ended));
            Assert.False(tool.Process.HasExited);
            tool.Process.Kill();
            await tool.WaitAsync();
        }

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--prices", "prices.json", "--max-cost", "1");

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Contains("An earlier run of in.out.jsonl was killed. At most $", result.Messages, StringComparison.Ordinal);
        Assert.Equal(200, OutputRows.Read(_tool.PathOf("in.out.jsonl")).Count);
        Assert.False(File.Exists(_tool.PathOf("in.out.jsonl.spent")));
    }

    private static IEnumerable<string> Rows(int count) => Enumerable.Range(0, count).Select(i =>
        $$$"""{"custom_id":"row-{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{i}}}: {{{string.Join(' ', Enumerable.Repeat("how many", 1 + (i % 17)))}}}"}],"max_tokens":300}}""");

    private List<decimal> RowCosts() =>
        [.. OutputRows.Read(_tool.PathOf("in.out.jsonl")).Select(row => row.Json.GetProperty("fastllm").GetProperty("cost").GetDecimal())];
}
