namespace FastLLM.RateLimiting;

/// <summary>Tells from counts whether the share of refused sends is a low or a high one (Wald's sequential test).</summary>
internal static class ShareTest
{
    /// <param name="sent">The sends.</param>
    /// <param name="refused">Those that were refused.</param>
    /// <param name="low">The share expected if all is well.</param>
    /// <param name="high">The share expected if it is not.</param>
    /// <param name="certainty">The logarithm of how much better the winning share must explain the counts.</param>
    /// <returns>The share that the counts speak for, or <see cref="ShareLevel.Open"/> while they are too few.</returns>
    public static ShareLevel Judge(long sent, long refused, double low, double high, double certainty)
    {
        low = Math.Min(low, 0.95);
        high = Math.Clamp(high, low + 0.01, 0.98);
        double score = (refused * Math.Log(high / low)) + ((sent - refused) * Math.Log((1 - high) / (1 - low)));
        return score >= certainty ? ShareLevel.High : score <= -certainty ? ShareLevel.Low : ShareLevel.Open;
    }
}

internal enum ShareLevel
{
    Open,
    Low,
    High,
}
