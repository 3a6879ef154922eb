using System.Text.Json.Serialization;

namespace FastLLM.Cluster.Chunks;

/// <summary>Reads and writes a <see cref="JobSpec"/> as JSON.</summary>
// Many fields because most of the type is generated.
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JobSpec))]
internal sealed partial class SpecJson : JsonSerializerContext;
