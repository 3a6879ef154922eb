namespace FastLLM.RateLimiting;

/// <summary>A suspicion that less must be sent, while it is looked into.</summary>
/// <param name="Before">The limits that held when it arose.</param>
/// <param name="Share">The share of refusals that raised it.</param>
/// <param name="IsByClosure">Whether everything was refused.</param>
/// <param name="InFlight">How many the provider takes at once, if that is the law.</param>
/// <param name="Rate">How many the provider takes a second, if that is the law.</param>
internal sealed record Trouble(Limits Before, double Share, bool IsByClosure, int InFlight, double Rate)
{
    // Noise up to a third is no obstacle to seeing whether a closure has ended: it is distinguished from a limit afterwards, when less is
    // refused.
    private const double WellAfterClosure = 0.15;
    private const double BadAfterClosure = 0.6;

    // Noise of more than that would keep closing, so it is allowed for while a closure is looked into.
    private const double LikelyAfterClosure = 0.4;
    private const double Small = 0.1;
    private const double LeastPart = 0.75;

    /// <summary>Gets the number of sends that the share was measured from.</summary>
    public long Sent { get; init; } = 1;

    /// <summary>Gets the cut after which most was refused; that of no sends if there was none.</summary>
    public Cut Worst { get; init; }

    /// <summary>Gets a value indicating whether fewer in flight were refused as well.</summary>
    public bool IsInFlightRefuted { get; init; }

    /// <summary>Gets the share of refusals that may well be noise, though it is not known yet.</summary>
    public double LikelyShare => IsByClosure ? LikelyAfterClosure : 0;

    /// <summary>Tells whether there may have been more refusals than usual by chance.</summary>
    public bool MayBeChance(NoiseFloor floor) =>
        !IsByClosure && (floor.IsNoisy || (Share < Small && double.IsPositiveInfinity(Before.Rate)));

    /// <summary>Tells whether a number is only a little lower. A limit on the rate leaves far fewer in flight.</summary>
    public bool IsALittleLess(int inFlight) => inFlight < InFlight && inFlight >= InFlight * LeastPart;

    /// <summary>Gets the share of refusals that is expected if a cut helps.</summary>
    public double Well(NoiseFloor floor) => IsByClosure ? Math.Max(floor.Well, WellAfterClosure) : floor.Well;

    /// <summary>Gets the share of refusals that is expected if a cut does not help.</summary>
    public double Bad(NoiseFloor floor) => Math.Max(floor.Bad, IsByClosure ? BadAfterClosure : Share / 2);
}
