namespace FastLLM.RateLimiting;

/// <summary>A suspicion that less must be sent, while it is being looked into.</summary>
/// <param name="Before">The limits that held when it arose.</param>
/// <param name="Share">The share of refusals that raised it.</param>
/// <param name="IsByClosure">Whether everything was refused.</param>
/// <param name="InFlight">How many the provider takes at once, if that is the law.</param>
/// <param name="Rate">How many the provider takes a second, if that is the law; 0 if it is not known yet.</param>
internal sealed record Trouble(Limits Before, double Share, bool IsByClosure, int InFlight, double Rate)
{
    /// <summary>Gets or sets a value indicating whether fewer in flight were refused as well.</summary>
    public bool IsInFlightRefuted { get; set; }

    /// <summary>Gets the share of refusals that is expected if a cut helps. After a closure that need not be the noise, which is looked into later.</summary>
    public double Well(NoiseFloor floor) => IsByClosure ? Math.Max(floor.Well, 0.15) : floor.Well;

    /// <summary>Gets the share of refusals that is expected if a cut does not help.</summary>
    public double Bad(NoiseFloor floor) => IsByClosure ? Math.Max(floor.Bad, 0.6) : Math.Max(floor.Bad, Share / 2);
}
