namespace FastLLM.RateLimiting;

/// <summary>The law by which a provider refuses sends, as far as it is known. Several parts may hold at once.</summary>
/// <param name="RandomShare">The share of all sends that is refused whatever the client does; 0 where there is none.</param>
/// <param name="InFlight">How many the provider takes at once; <see langword="null"/> where no such limit was found.</param>
/// <param name="PerSecond">How many the provider takes a second; <see langword="null"/> where no such limit was found.</param>
internal readonly record struct ThrottlingLaw(double RandomShare, int? InFlight, double? PerSecond)
{
    /// <summary>Gets a value indicating whether the provider has shown no limit.</summary>
    public bool IsNone => RandomShare == 0 && InFlight is null && PerSecond is null;

    /// <summary>Gets a value indicating whether refusals are nothing but noise, so that a refused request may go again at once.</summary>
    public bool IsOnlyRandom => RandomShare > 0 && InFlight is null && PerSecond is null;
}
