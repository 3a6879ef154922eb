namespace FastLLM.RateLimiting;

/// <summary>Represents what was sent of a model in the last minute, for a process that continues after this one.</summary>
/// <param name="Model">The model.</param>
/// <param name="Amounts">For requests, tokens, prompt tokens and output tokens: what may be sent within the next second, then what was sent
/// in the last second, in the one before, and so on; empty without a limit.</param>
internal sealed record SentMinute(string Model, IReadOnlyList<double[]> Amounts)
{
    /// <summary>Gets what was sent of a day's requests, if they are limited.</summary>
    public SentDay? Day { get; init; }
}

/// <summary>Represents what was sent of a day's requests.</summary>
/// <param name="Used">How many, including those that may be sent before the next announcement.</param>
/// <param name="EndsIn">When the day ends, in seconds.</param>
internal sealed record SentDay(long Used, double EndsIn);
