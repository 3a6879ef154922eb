using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>Provides the names of the additional properties of responses: <see cref="ChatResponse.AdditionalProperties"/>, those of the
/// last update of a stream, and those of embeddings.</summary>
public static class FastLLMProperties
{
    /// <summary>Whether the answer came from the cache (a <see cref="bool"/>).</summary>
    public const string Cached = "fastllm.cached";

    /// <summary>Whether an equal call in flight brought the answer (a <see cref="bool"/>).</summary>
    public const string Shared = "fastllm.shared";

    /// <summary>How many times the request was sent for this call (an <see cref="int"/>).</summary>
    public const string Sends = "fastllm.sends";

    /// <summary>What the call cost, in US dollars (a <see cref="decimal"/>); missing if unknown.</summary>
    public const string Cost = "fastllm.cost";

    /// <summary>The tokens that a cached or shared answer used when it was made (a <see cref="UsageDetails"/>). Its usage is not reported
    /// again, so that telemetry counts it once.</summary>
    public const string Usage = "fastllm.usage";
}
