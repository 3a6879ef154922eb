using FastLLM.Simulator;
using FastLLM.TestKit.Otlp;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary><c>fastllm run --otlp</c>, and a collector that receives what it exports.</summary>
public sealed class TelemetryTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task Run_Otlp_ExportsEverySendOnce()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.jsonl", Enumerable.Range(0, 40).Select(i =>
            $$$"""{"custom_id":"row-{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"secret {{{i % 30}}}"}]}}"""));

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--otlp", collector.Url);

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Equal(30, collector.Spans.Count);
        Assert.All(collector.Spans, span => Assert.Equal(("chat m", "m", "stop"), (span.Name, span.Tags["gen_ai.request.model"], span.Tags["gen_ai.response.finish_reasons"])));
        Assert.All(collector.Spans, span => Assert.StartsWith("row-", (string)span.Tags["fastllm.custom_id"], StringComparison.Ordinal));
        Assert.DoesNotContain(collector.Spans.SelectMany(span => span.Tags.Values), value => value.ToString()!.Contains("secret", StringComparison.Ordinal));
        Assert.Equal(30, Assert.Single(collector.Points("gen_ai.client.operation.duration")).Count);
        Assert.Equal(40, collector.Points("fastllm.requests").Sum(point => point.Value));
        Assert.All(collector.Resources, resource => Assert.Equal("fastllm", resource["service.name"]));
    }

    [Fact]
    public async Task Run_CollectorIsNotThere_FinishesAndSaysSo()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        string gone = collector.Url;
        await collector.DisposeAsync();
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Write("in.jsonl", """{"model":"m","messages":[{"role":"user","content":"hi"}]}""");

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--base-url", simulator.ApiBase, "--otlp", gone, "--quiet");

        Assert.Equal(0, result.Exit);
        Assert.Contains($"Telemetry is not exported to {gone}", result.Messages, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4318", "Use the base URL of a collector")]
    [InlineData("http://collector.example", "Use https://")]
    public async Task Run_InvalidCollector_IsRefused(string url, string message)
    {
        _tool.Write("in.jsonl", """{"model":"m","messages":[{"role":"user","content":"hi"}]}""");

        ToolResult result = await _tool.RunAsync("run", "in.jsonl", "--provider", "simulator", "--otlp", url);

        Assert.Equal(2, result.Exit);
        Assert.Contains(message, result.Messages, StringComparison.Ordinal);
    }
}
