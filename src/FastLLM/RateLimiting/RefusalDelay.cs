namespace FastLLM.RateLimiting;

/// <summary>Follows how long refusals take.</summary>
/// <remarks>
/// It follows longer refusals at once and shorter ones more slowly: a send that settles too early counts as accepted by mistake. Refusals
/// of sends that were under way together count once, so that what hundreds of them suffered at the start is soon forgotten.
/// </remarks>
/// <param name="seesAll">Whether no other process shares the limit.</param>
internal sealed class RefusalDelay(bool seesAll)
{
    private const double Decay = 0.5;
    private const double DecayOfPart = 0.05;

    private double _shortenedAt;

    /// <summary>Gets the delay in seconds; 0 before the first refusal.</summary>
    public double Seconds { get; private set; }

    /// <summary>A send was refused.</summary>
    /// <returns>Whether that took longer than any before, but for those that are forgotten.</returns>
    public bool TryGrow(in SendMark mark, double now)
    {
        double delay = now - mark.At;
        if (delay > Seconds)
        {
            Seconds = delay;
            return true;
        }

        if (!seesAll || mark.At >= _shortenedAt)
        {
            Seconds += (delay - Seconds) * (seesAll ? Decay : DecayOfPart);
            _shortenedAt = now;
        }

        return false;
    }
}
