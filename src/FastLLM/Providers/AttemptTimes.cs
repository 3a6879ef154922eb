namespace FastLLM.Providers;

/// <summary>Represents the timeouts within an attempt; <see langword="null"/> if only the whole attempt has a timeout.</summary>
/// <param name="FirstByte">The timeout until the first byte of the response.</param>
/// <param name="Idle">The timeout between two reads of the response.</param>
internal readonly record struct AttemptTimes(TimeSpan? FirstByte, TimeSpan? Idle)
{
    /// <summary>Gets the default idle timeout of a stream that has begun to send content.</summary>
    public static TimeSpan StreamIdle => TimeSpan.FromSeconds(60);
}
