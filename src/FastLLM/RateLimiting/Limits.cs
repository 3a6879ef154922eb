namespace FastLLM.RateLimiting;

/// <summary>What holds sends back at a moment.</summary>
/// <param name="InFlight">The most in flight.</param>
/// <param name="IsInFlightLearnt">Whether that was taught by refusals.</param>
/// <param name="Rate">The sends a second; infinite where they are not paced.</param>
internal readonly record struct Limits(int InFlight, bool IsInFlightLearnt, double Rate)
{
    /// <summary>Gets these limits with what a slow start has reached since.</summary>
    public Limits Since(in Limits now) =>
        IsInFlightLearnt || now.IsInFlightLearnt ? this : this with { InFlight = Math.Max(InFlight, now.InFlight) };
}
