using System.Text.Json.Serialization;

namespace FastLLM.Cluster.Limits;

/// <summary>Writes and reads what the database keeps about limits.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LimitState))]
[JsonSerializable(typeof(Member))]
internal sealed partial class LimitJson : JsonSerializerContext;
