namespace FastLLM.Mapping;

/// <summary>Represents the vector of a text.</summary>
/// <param name="Vector">The vector.</param>
/// <param name="Model">The model, as the provider names it.</param>
/// <param name="IsCacheHit">Whether it came from the cache.</param>
/// <param name="IsShared">Whether another call in flight brought it.</param>
internal sealed record EmbeddedText(ReadOnlyMemory<float> Vector, string? Model, bool IsCacheHit = false, bool IsShared = false);
