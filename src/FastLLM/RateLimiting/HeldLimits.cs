namespace FastLLM.RateLimiting;

/// <summary>The limits that hold, and those that have proved themselves, to go back to when noise was taken for a limit.</summary>
/// <param name="cap">The limit on what is in flight.</param>
/// <param name="pacer">The limit on the rate.</param>
internal sealed class HeldLimits(InFlightCap cap, Pacer pacer)
{
    private (Limits Limits, double Share) _doubtful;

    public InFlightCap Cap => cap;

    public Pacer Pacer => pacer;

    /// <summary>Gets the limits that hold.</summary>
    public Limits Current => new(cap.Value, cap.IsLearnt, pacer.Rate);

    /// <summary>Gets the last limits that were learned beyond doubt, even if noise was taken for a limit meanwhile.</summary>
    public Limits Trusted { get; private set; }

    /// <summary>Gets or sets the moment with nothing left at which the rate was lowered last.</summary>
    public Emptied Lowered { get; set; }

    public void Set(in Limits limits, double now)
    {
        cap.Set(limits.InFlight, limits.IsInFlightLearnt);
        pacer.Set(limits.Rate, now);
    }

    /// <summary>The limits have proved themselves.</summary>
    public void Trust(in Limits limits)
    {
        Trusted = limits;
        _doubtful = default;
    }

    /// <summary>The limits are right, unless the refusals that led to them were noise.</summary>
    public void Doubt(Trouble trouble, in Limits limits) =>
        _doubtful = trouble.Share > _doubtful.Share ? (limits, trouble.Share) : _doubtful;

    /// <summary>Gets the limits to continue with when it has turned out that refusals were noise.</summary>
    /// <remarks>What was learned while noise was taken for a limit is dropped, unless noise does not explain it.</remarks>
    /// <param name="noise">The share of noise.</param>
    /// <param name="before">The limits that held before noise was proved.</param>
    public Limits WithoutNoise(double noise, in Limits before) =>
        (_doubtful.Share > (2 * noise) + 0.1 ? _doubtful.Limits : Trusted).Since(before);
}
