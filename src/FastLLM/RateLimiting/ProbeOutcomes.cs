namespace FastLLM.RateLimiting;

/// <summary>What the probes of a closure have shown.</summary>
/// <param name="Passed">How many were accepted.</param>
/// <param name="FirstAt">When the first of them was sent.</param>
/// <param name="LastAt">When the last of them was sent.</param>
/// <param name="MostPassed">The most others in flight of an accepted one.</param>
/// <param name="LeastRefused">The fewest others in flight of a refused one.</param>
/// <param name="RefusedBelow">How many were refused with clearly fewer in flight than at the closure.</param>
/// <param name="IsByTime">Whether one was accepted before an answer left a slot.</param>
/// <param name="IsWideOpen">Whether one was accepted that went early.</param>
internal readonly record struct ProbeOutcomes(
    int Passed, double FirstAt, double LastAt, int MostPassed, int LeastRefused, int RefusedBelow, bool IsByTime, bool IsWideOpen)
{
    public static ProbeOutcomes None => new(0, 0, 0, 0, int.MaxValue, 0, false, false);

    /// <summary>Gets the probes that were accepted a second, one by one: nothing was left between them, so that is the rate.</summary>
    public double Rate => Passed < 2 || IsWideOpen ? double.PositiveInfinity : (Passed - 1) / (LastAt - FirstAt);

    /// <summary>Gets a value indicating whether all that happened fits a limit on what is in flight.</summary>
    /// <remarks>
    /// That is, no probe was accepted before an answer left a slot, and not two were refused with clearly fewer in flight.
    /// </remarks>
    public bool IsAboutInFlight => !IsByTime && RefusedBelow < 2;

    /// <summary>Gets a value indicating whether all refused probes met more others in flight than all accepted ones.</summary>
    public bool IsByInFlight => LeastRefused > MostPassed;

    public ProbeOutcomes WithPassed(double at, int inFlight, bool isByTime, bool isEarly) => this with
    {
        Passed = Passed + 1,
        FirstAt = Passed == 0 ? at : FirstAt,
        LastAt = at,
        MostPassed = Math.Max(MostPassed, inFlight),
        IsByTime = IsByTime || isByTime,
        IsWideOpen = IsWideOpen || isEarly,
    };

    public ProbeOutcomes WithRefused(int inFlight, bool isBelow) => this with
    {
        LeastRefused = Math.Min(LeastRefused, inFlight),
        RefusedBelow = RefusedBelow + (isBelow ? 1 : 0),
    };
}
