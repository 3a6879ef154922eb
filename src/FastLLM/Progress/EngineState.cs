namespace FastLLM.Progress;

/// <summary>What the engine says of itself for a snapshot.</summary>
/// <param name="InFlight">Requests in flight.</param>
/// <param name="Limit">How many may be.</param>
/// <param name="Ceiling">How many may be at most, however well it goes.</param>
/// <param name="RequestLimit">Requests a minute that were told.</param>
/// <param name="TokenLimit">Tokens a minute that were told.</param>
internal readonly record struct EngineState(int InFlight, int Limit, int Ceiling, long? RequestLimit, long? TokenLimit);
