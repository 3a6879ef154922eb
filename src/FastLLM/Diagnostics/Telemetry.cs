using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace FastLLM.Diagnostics;

/// <summary>The engine's one meter and one activity source, both named <c>FastLLM</c>. They cost nothing without a listener.</summary>
internal static class Telemetry
{
    public const string Name = "FastLLM";

    private static readonly Meter Meter = new(Name);

    /// <summary>Attempts are activities of this source.</summary>
    public static readonly ActivitySource Activities = new(Name);

    public static readonly Counter<long> Sends = Meter.CreateCounter<long>("fastllm.sends", "{send}", "Attempts sent to a provider.");

    public static readonly Counter<long> Failures =
        Meter.CreateCounter<long>("fastllm.failures", "{request}", "Requests that failed, by kind.");

    public static readonly Counter<long> CacheHits =
        Meter.CreateCounter<long>("fastllm.cache_hits", "{request}", "Requests answered from the cache.");

    public static readonly Counter<long> Tokens = Meter.CreateCounter<long>("fastllm.tokens", "{token}", "Tokens paid for, by direction.");
}
