namespace FastLLM.Providers;

/// <summary>The times within an attempt; <see langword="null"/> where only the whole of it is timed.</summary>
/// <param name="FirstByte">Up to the first byte of an answer.</param>
/// <param name="Idle">Of silence inside an answer.</param>
internal readonly record struct AttemptTimes(TimeSpan? FirstByte, TimeSpan? Idle)
{
    /// <summary>Gets the time of silence inside a stream that has begun to speak, where none is set.</summary>
    public static TimeSpan StreamIdle => TimeSpan.FromSeconds(60);
}
