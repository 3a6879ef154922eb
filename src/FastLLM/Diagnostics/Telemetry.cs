using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;

namespace FastLLM.Diagnostics;

/// <summary>Defines the activity source and the instruments of the engine. Without a listener they cost a comparison.</summary>
/// <remarks>Names, units and bucket boundaries of <c>gen_ai.*</c> are those of the OpenTelemetry semantic conventions for generative AI.
/// <c>docs/telemetry.md</c> lists all instruments.</remarks>
internal static class Telemetry
{
    public const string OperationName = "gen_ai.operation.name";
    public const string ProviderName = "gen_ai.provider.name";
    public const string RequestModel = "gen_ai.request.model";
    public const string ResponseModel = "gen_ai.response.model";
    public const string ServerAddress = "server.address";
    public const string ServerPort = "server.port";
    public const string ErrorType = "error.type";
    public const string TokenType = "gen_ai.token.type";
    public const string Outcome = "fastllm.outcome";
    public const string WaitReason = "fastllm.wait.reason";
    public const string BottleneckName = "fastllm.bottleneck.name";

    private static readonly string s_version =
        typeof(Telemetry).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+', 2)[0];

    private static readonly Meter s_meter = new(LlmTelemetry.Name, s_version);

    /// <summary>Sends are activities of this source.</summary>
    public static readonly ActivitySource Activities = new(LlmTelemetry.Name, s_version);

    public static readonly Histogram<double> Duration = s_meter.CreateHistogram(
        "gen_ai.client.operation.duration", "s", "GenAI operation duration.", tags: null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
        });

    public static readonly Histogram<long> TokenUsage = s_meter.CreateHistogram(
        "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", tags: null,
        new InstrumentAdvice<long>
        {
            HistogramBucketBoundaries =
                [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
        });

    public static readonly Counter<long> Requests =
        s_meter.CreateCounter<long>("fastllm.requests", "{request}", "Requests that have ended, by outcome.");

    public static readonly Counter<long> Throttled =
        s_meter.CreateCounter<long>("fastllm.sends.throttled", "{send}", "Sends that the provider refused because of its limits or load.");

    public static readonly Counter<double> Cost =
        s_meter.CreateCounter<double>("fastllm.cost", "{USD}", "Cost of sends, in US dollars, as far as it is known.");

    static Telemetry() => ManagerGauges.CreateInstruments(s_meter);
}
