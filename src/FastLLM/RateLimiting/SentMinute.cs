namespace FastLLM.RateLimiting;

/// <summary>Represents what was sent of a model in the last minute, for a process that continues after this one.</summary>
/// <param name="Model">The model.</param>
/// <param name="Amounts">For requests, tokens, prompt tokens and output tokens: what may be sent within the next second, then what was sent
/// in the last second, in the one before, and so on; empty without a limit.</param>
internal sealed record SentMinute(string Model, IReadOnlyList<double[]> Amounts);
