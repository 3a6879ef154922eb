using System.Security.Cryptography;

namespace FastLLM.Retries;

/// <summary>Where back-off gets its randomness from, unless a test brings its own.</summary>
internal static class Jitter
{
    /// <summary>A random number, 0 ≤ x &lt; 1.</summary>
    public static double Next() => RandomNumberGenerator.GetInt32(int.MaxValue) / (double)int.MaxValue;
}
