using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FastLLM.Cli;

/// <summary>Exports the traces and metrics of a run to a collector. The run never waits for it; disposing exports the rest.</summary>
/// <remarks>Headers, sampler, resource attributes and limits come from the variables of the OpenTelemetry SDK
/// (<c>OTEL_EXPORTER_OTLP_HEADERS</c>, <c>OTEL_TRACES_SAMPLER</c> …).</remarks>
internal sealed class TelemetryExport : IDisposable
{
    private const int MaxQueue = 65_536;
    private const int MaxBatch = 2_048;
    private const int SpansEvery = 1_000;
    private const int MetricsEvery = 5_000;

    private readonly TelemetryFaults _faults;
    private readonly TracerProvider _traces;
    private readonly MeterProvider _metrics;

    /// <summary>Starts to export.</summary>
    /// <param name="collector">The base URL of the collector.</param>
    /// <param name="warn">Called once if the collector cannot be reached or spans are dropped.</param>
    public TelemetryExport(Uri collector, Action<string> warn)
    {
        _faults = new TelemetryFaults(text => warn($"Telemetry is not exported to {collector}: {text}"));
        ResourceBuilder resource = ResourceBuilder.CreateEmpty()
            .AddService("fastllm", serviceVersion: Program.Version).AddTelemetrySdk().AddEnvironmentVariableDetector();
        _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource(LlmTelemetry.Name)
            .AddProcessor(new BatchActivityExportProcessor(
                new OtlpTraceExporter(Options(collector, "v1/traces")), MaxQueue, SpansEvery, maxExportBatchSize: MaxBatch))
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(LlmTelemetry.Name)
            .AddReader(new PeriodicExportingMetricReader(new OtlpMetricExporter(Options(collector, "v1/metrics")), MetricsEvery))
            .Build();
    }

    /// <summary>Exports what is left, and ends. Takes seconds if the collector does not answer.</summary>
    public void Dispose()
    {
        _traces.Dispose();
        _metrics.Dispose();
        _faults.Dispose();
    }

    private static OtlpExporterOptions Options(Uri collector, string path) =>
        new() { Protocol = OtlpExportProtocol.HttpProtobuf, Endpoint = new Uri(collector, path) };
}
