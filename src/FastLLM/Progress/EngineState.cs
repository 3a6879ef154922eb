namespace FastLLM.Progress;

/// <summary>What the engine says of itself for a snapshot.</summary>
/// <param name="InFlight">Requests in flight.</param>
/// <param name="Limit">How many may be.</param>
/// <param name="RequestLimit">Requests a minute that were told.</param>
/// <param name="TokenLimit">Tokens a minute that were told.</param>
internal readonly record struct EngineState(int InFlight, int Limit, long? RequestLimit, long? TokenLimit);
