namespace FastLLM.Progress;

/// <summary>Represents the state of the engine in a snapshot.</summary>
/// <param name="InFlight">Requests in flight.</param>
/// <param name="Limit">How many may be in flight now.</param>
/// <param name="Ceiling">How many may ever be in flight.</param>
/// <param name="RequestLimit">Configured requests per minute.</param>
/// <param name="TokenLimit">Configured tokens per minute.</param>
/// <param name="Learned">The limits that refusals have shown; <see langword="null"/> if there are none.</param>
internal readonly record struct EngineState(
    int InFlight, int Limit, int Ceiling, long? RequestLimit, long? TokenLimit, IReadOnlyList<LearnedLimits>? Learned);
