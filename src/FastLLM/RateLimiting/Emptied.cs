namespace FastLLM.RateLimiting;

/// <summary>A moment at which the provider had nothing left.</summary>
/// <remarks>
/// A bucket that was empty and is empty again has let through exactly its rate, however much it holds, unless it was full meanwhile: then
/// it could have let through more. So the sends accepted from one such moment to another never tell too high a rate.
/// </remarks>
/// <param name="At">When it was.</param>
/// <param name="Accepted">The sends accepted before.</param>
internal readonly record struct Emptied(double At, long Accepted)
{
    /// <summary>Gets the sends accepted a second from an earlier moment to this one.</summary>
    public double RateSince(in Emptied earlier) => Math.Max(Accepted - earlier.Accepted, 0) / Math.Max(At - earlier.At, 1e-3);
}
