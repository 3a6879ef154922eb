using System.Diagnostics;
using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.TestKit.Otlp;
using FastLLM.Tests.ExtensionsAI;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Xunit;

namespace FastLLM.Tests.Diagnostics;

/// <summary>What a collector receives from the OpenTelemetry SDK. Source and meter belong to the process, so each test uses models of its own.</summary>
public sealed class OtlpTests
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Batch_CollectorReceivesOneSpanAndOneDurationForEachSend()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        using (var telemetry = new Sdk(collector.Url))
        {
            await using var manager = new RequestManager(
                new OpenAIProvider("key", simulator.ApiBase),
                new RequestManagerOptions { ShowProgress = false, Cache = new InMemoryCache(), Prices = Prices("otlp-batch") });
            LlmRequest request = Ask("otlp-batch", "secret question") with { Temperature = 0.2, MaxCompletionTokens = 50 };

            await manager.ProcessBatchAsync([request, request, Ask("otlp-batch", "other")], Ended);
            await manager.ProcessBatchAsync([request], Ended);
        }

        OtlpSpan[] spans = [.. SpansOf(collector, "otlp-batch")];
        Assert.Equal(2, spans.Length);
        OtlpSpan span = spans.Single(span => span.Tags.ContainsKey("gen_ai.request.max_tokens"));
        Assert.Equal(("FastLLM", "chat otlp-batch", 3L, 0L), (span.Scope, span.Name, span.Kind, span.Status));
        Assert.Equal("", span.ParentId);
        var address = new Uri(simulator.ApiBase);
        Assert.Equal(
            ("chat", "openai", "127.0.0.1", (long)address.Port, 0.2, 50L, "stop", "otlp-batch"),
            (span.Tags["gen_ai.operation.name"], span.Tags["gen_ai.provider.name"], span.Tags["server.address"], span.Tags["server.port"],
                span.Tags["gen_ai.request.temperature"], span.Tags["gen_ai.request.max_tokens"], span.Tags["gen_ai.response.finish_reasons"], span.Tags["gen_ai.response.model"]));
        Assert.StartsWith("chatcmpl", (string)span.Tags["gen_ai.response.id"], StringComparison.Ordinal);
        Assert.Equal(RequestKey.Compute("/v1/chat/completions", Ask("otlp-batch", "other").Body.Span).ToString(), spans.Single(other => other != span).Tags["fastllm.request.id"]);
        Assert.DoesNotContain(spans.SelectMany(each => each.Tags.Values), value => value.ToString()!.Contains("question", StringComparison.Ordinal));

        OtlpPoint duration = Assert.Single(PointsOf(collector, "gen_ai.client.operation.duration", "otlp-batch"));
        Assert.Equal(("s", 2L), (duration.Unit, duration.Count));
        Assert.Equal([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92], duration.Bounds);
        OtlpPoint[] tokens = [.. PointsOf(collector, "gen_ai.client.token.usage", "otlp-batch")];
        Assert.Equal(["input", "output"], tokens.Select(point => point.Tags["gen_ai.token.type"]).Order());
        Assert.All(tokens, point => Assert.Equal(("{token}", 2L), (point.Unit, point.Count)));
        Assert.Equal([1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864], tokens[0].Bounds);

        // The tokens of the spans are those of the metric: cached and shared answers are not paid again.
        Assert.Equal(
            spans.Sum(each => (long)each.Tags["gen_ai.usage.input_tokens"]), tokens.Single(point => point.Tags["gen_ai.token.type"].Equals("input")).Value);
        Assert.Equal(
            (2.0, 1.0, 1.0),
            (Requests(collector, "otlp-batch", "answered"), Requests(collector, "otlp-batch", "shared"), Requests(collector, "otlp-batch", "cached")));
        OtlpPoint cost = Assert.Single(PointsOf(collector, "fastllm.cost", "otlp-batch"));
        Assert.Equal("{USD}", cost.Unit);
        Assert.Equal(tokens.Sum(point => point.Value), cost.Value, precision: 6); // a dollar a token
    }

    [Fact]
    public async Task FailedAndThrottledSends_HaveErrorTypeAndStatus()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        await using var server = FaultServer.Start((request, connection) => request.Number switch
        {
            1 => connection.RespondAsync(429, """{"error":{"message":"slow down, you who asked for the secret"}}"""u8.ToArray(), ("Retry-After", "0")),
            2 => connection.RespondAsync(400, """{"error":{"message":"no such secret"}}"""u8.ToArray()),
            _ => connection.RespondAsync(200, """{"id":"1","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"length"}]}"""u8.ToArray()),
        });
        using (var telemetry = new Sdk(collector.Url))
        {
            await using var manager = new RequestManager(
                new OpenAIProvider("key", server.ApiBase), new RequestManagerOptions { ShowProgress = false, Concurrency = 1, RetryDelay = TimeSpan.Zero });
            await manager.ProcessBatchAsync([Ask("otlp-fail", "a")], Ended);
            await manager.ProcessBatchAsync([Ask("otlp-fail", "b")], Ended);
        }

        OtlpSpan[] spans = [.. SpansOf(collector, "otlp-fail")];
        Assert.Equal(3, spans.Length);
        Assert.Equal(
            ("RateLimited", 429L, 2L, "RateLimited"),
            (spans[0].Tags["error.type"], spans[0].Tags["http.response.status_code"], spans[0].Status, spans[0].StatusText));
        Assert.Equal("InvalidRequest", spans[1].Tags["error.type"]);
        Assert.Equal("length", spans[2].Tags["gen_ai.response.finish_reasons"]);
        Assert.Equal(2L, spans[1].Tags["fastllm.send"]);
        Assert.DoesNotContain("secret", string.Concat(spans.SelectMany(span => span.Tags.Values.Append(span.StatusText))), StringComparison.Ordinal);
        Assert.Equal(
            ["InvalidRequest", "RateLimited", ""],
            PointsOf(collector, "gen_ai.client.operation.duration", "otlp-fail").Select(point => point.Tags.GetValueOrDefault("error.type", "")).OrderByDescending(type => ((string)type).Length));
        Assert.Equal(1, Assert.Single(PointsOf(collector, "fastllm.sends.throttled", "otlp-fail")).Value);
        Assert.Equal((1.0, 1.0), (Requests(collector, "otlp-fail", "failed"), Requests(collector, "otlp-fail", "answered")));
    }

    [Fact]
    public async Task Gauges_ShowSendsInFlightWaitsAndBottleneck()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        var held = new HeldSends();
        await using var manager = new RequestManager<string>(
            new ScriptedProvider(held.HoldAsync, "http://otlp-gauge.test/v1"), new RequestManagerOptions { ShowProgress = false, Concurrency = 2 });
        Task batch = manager.ProcessBatchAsync([.. Enumerable.Range(0, 5).Select(i => Ask("otlp-gauge", $"q{i}"))], Ended);
        await held.WaitForAsync(2, Ended);
        using (var telemetry = new Sdk(collector.Url))
        {
            telemetry.Flush();
            Assert.Equal((2.0, 2.0), (Value("fastllm.requests.in_flight"), Value("fastllm.requests.in_flight.limit")));
            Assert.Equal(["back_off", "limit"], Of("fastllm.requests.waiting").Select(point => point.Tags["fastllm.wait.reason"]).Order());
            Assert.Equal("Concurrency", Of("fastllm.bottleneck").Single(point => point.Value == 1).Tags["fastllm.bottleneck.name"]);
            Assert.Empty(Of("fastllm.limit.in_flight"));
            held.Release();
            await batch;
        }

        Assert.Equal(0, Value("fastllm.requests.in_flight"));
        Assert.Equal("None", Of("fastllm.bottleneck").Single(point => point.Value == 1).Tags["fastllm.bottleneck.name"]);

        IEnumerable<OtlpPoint> Of(string metric) =>
            collector.Points(metric).Where(point => point.Tags.GetValueOrDefault("server.address", "").Equals("otlp-gauge.test"));

        double Value(string metric) => Assert.Single(Of(metric)).Value;
    }

    [Fact]
    public async Task CaptureMessageContent_PutsPromptAndAnswerIntoTheSpan()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200,
            """{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"Sunny.","tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"""u8.ToArray()));
        using (var telemetry = new Sdk(collector.Url))
        {
            await using var manager = new RequestManager(
                new OpenAIProvider("key", server.ApiBase), new RequestManagerOptions { ShowProgress = false, CaptureMessageContent = true });
            await manager.ProcessBatchAsync(
                [new LlmRequest { Model = "otlp-content", Messages = [Message.System("Be brief."), "Weather?", Message.Tool("c0", "57 F")] }], Ended);
        }

        OtlpSpan span = Assert.Single(SpansOf(collector, "otlp-content"));
        Assert.Equal(
            """[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Weather?"}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"c0","response":"57 F"}]}]""",
            span.Tags["gen_ai.input.messages"]);
        Assert.Equal(
            """[{"role":"assistant","parts":[{"type":"text","content":"Sunny."},{"type":"tool_call","id":"c1","name":"look","arguments":"{}"}],"finish_reason":"tool_calls"}]""",
            span.Tags["gen_ai.output.messages"]);
    }

    [Fact]
    public async Task Call_SpanBelongsToTheSpanOfTheCaller()
    {
        await using OtlpReceiver collector = await OtlpReceiver.StartAsync(Ended);
        using var source = new ActivitySource("FastLLM.Tests.Caller");
        ActivityTraceId trace;
        using (var telemetry = new Sdk(collector.Url, source.Name))
        {
            await using var manager = new RequestManager(new BodyProvider(_ => BodyProvider.Hello), new RequestManagerOptions { ShowProgress = false });
            using Activity? caller = source.StartActivity("caller");
            trace = caller!.TraceId;
            await manager.ProcessBatchAsync([Ask("otlp-parent", "a")], Ended);
            Assert.Same(caller, Activity.Current);
        }

        OtlpSpan span = Assert.Single(SpansOf(collector, "otlp-parent"));
        Assert.Equal(trace.ToHexString(), span.TraceId);
        Assert.Equal(collector.Spans.Single(each => each.Name == "caller").SpanId, span.ParentId);
    }

    private static LlmRequest Ask(string model, string question) => LlmRequest.FromPrompt("test", question, model);

    private static PriceTable Prices(string model) =>
        PriceTable.Create(new Dictionary<string, ModelPrice> { [model] = new ModelPrice { Input = 1, Output = 1 } });

    private static IEnumerable<OtlpSpan> SpansOf(OtlpReceiver collector, string model) =>
        collector.Spans.Where(span => span.Tags.GetValueOrDefault("gen_ai.request.model", "").Equals(model));

    private static IEnumerable<OtlpPoint> PointsOf(OtlpReceiver collector, string metric, string model) =>
        collector.Points(metric).Where(point => point.Tags.GetValueOrDefault("gen_ai.request.model", "").Equals(model));

    private static double Requests(OtlpReceiver collector, string model, string outcome) =>
        PointsOf(collector, "fastllm.requests", model).Single(point => point.Tags["fastllm.outcome"].Equals(outcome)).Value;

    /// <summary>The OpenTelemetry SDK as an application sets it up. Disposing exports everything.</summary>
    private sealed class Sdk : IDisposable
    {
        private readonly TracerProvider _traces;
        private readonly MeterProvider _metrics;

        public Sdk(string url, params string[] sources)
        {
            _traces = OpenTelemetry.Sdk.CreateTracerProviderBuilder().AddSource([LlmTelemetry.Name, .. sources]).AddOtlpExporter(o => To(o, $"{url}/v1/traces")).Build();
            _metrics = OpenTelemetry.Sdk.CreateMeterProviderBuilder().AddMeter(LlmTelemetry.Name)
                .AddOtlpExporter((exporter, reader) =>
                {
                    To(exporter, $"{url}/v1/metrics");
                    reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = Timeout.Infinite;
                }).Build();
        }

        public void Flush() => Assert.True(_metrics.ForceFlush());

        public void Dispose()
        {
            Assert.True(_traces.ForceFlush());
            Assert.True(_metrics.ForceFlush());
            _traces.Dispose();
            _metrics.Dispose();
        }

        private static void To(OtlpExporterOptions options, string url)
        {
            options.Protocol = OtlpExportProtocol.HttpProtobuf;
            options.Endpoint = new Uri(url);

            // The tests that run at the same time have spans too, and a full queue drops some.
            options.BatchExportProcessorOptions.MaxQueueSize = 200_000;
        }
    }
}
