namespace FastLLM;

/// <summary>Represents the limits of a provider for one model, as far as its refusals have shown them.</summary>
public sealed record LearnedLimits
{
    /// <summary>Gets the model; an empty string if requests name none.</summary>
    public string Model { get; init; } = "";

    /// <summary>Gets the share of all sends that is refused at random, whatever the rate, from 0 to 1.</summary>
    public double RefusedAtRandom { get; init; }

    /// <summary>Gets how many requests the provider accepts at once; <see langword="null"/> if it has shown no such limit.</summary>
    public int? InFlight { get; init; }

    /// <summary>Gets how many requests the provider accepts per second; <see langword="null"/> if it has shown no such limit.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Describes the limits, for example "about 20 in flight, refuses 10 % at random".</summary>
    /// <returns>The description, without the model.</returns>
    public override string ToString() => new RateLimiting.ThrottlingLaw(RefusedAtRandom, InFlight, RequestsPerSecond).ToString();
}
