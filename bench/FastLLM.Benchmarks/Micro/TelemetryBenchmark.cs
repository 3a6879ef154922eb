using System.Diagnostics;
using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Diagnostics;
using FastLLM.Simulator;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace FastLLM.Benchmarks.Micro;

/// <summary>Question: what do span, duration, tokens, outcome and cost of one request cost, without a listener, with one, and with the
/// OpenTelemetry SDK?</summary>
[MemoryDiagnoser]
public class TelemetryBenchmark
{
    private readonly SendTelemetry _telemetry = new(ProviderIdentity.Of(new Uri("https://api.openai.com/v1"), "openai"), capturesContent: false);
    private readonly Usage _usage = new() { PromptTokens = 100, CompletionTokens = 20, TotalTokens = 120 };
    private readonly List<IDisposable> _listeners = [];
    private LlmRequest _request = null!;
    private LlmResponse _response = null!;
    private ResponseWrapper<LlmResponse> _outcome = null!;

    public enum Listener
    {
        None,
        Plain,
        Sdk,
    }

    [ParamsAllValues] public Listener Listening { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _request = Engine.Build(new Workload(1))[0];
        _response = LlmResponse.FromBody(SimulatorAnswers.ChatCompletion(_request.Body.Span, compact: true));
        _outcome = new ResponseWrapper<LlmResponse>(_response, _request.Key.ToString(), 0);
        if (Listening == Listener.Plain)
        {
            Listen();
        }
        else if (Listening == Listener.Sdk)
        {
            _listeners.Add(OpenTelemetry.Sdk.CreateTracerProviderBuilder().AddSource(LlmTelemetry.Name).Build());
            _listeners.Add(OpenTelemetry.Sdk.CreateMeterProviderBuilder().AddMeter(LlmTelemetry.Name).AddReader(new BaseExportingMetricReader(new NoExporter())).Build());
        }
    }

    [GlobalCleanup]
    public void Cleanup() => _listeners.ForEach(listener => listener.Dispose());

    [Benchmark]
    public void Request()
    {
        using Activity? activity = _telemetry.Begin(_request, 1, TimeProvider.System, 0);
        _telemetry.End(activity, _request, _response, _usage, failure: null, TimeSpan.FromSeconds(1));
        _telemetry.CountCost(_request, 0.001m);
        _telemetry.Count(_request, _outcome);
    }

    private void Listen()
    {
        var activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name == LlmTelemetry.Name,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(activities);
        var metrics = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == LlmTelemetry.Name)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        metrics.SetMeasurementEventCallback<long>(static (_, _, _, _) => { });
        metrics.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
        metrics.Start();
        _listeners.AddRange([activities, metrics]);
    }

    private sealed class NoExporter : BaseExporter<Metric>
    {
        public override ExportResult Export(in Batch<Metric> batch) => ExportResult.Success;
    }
}
