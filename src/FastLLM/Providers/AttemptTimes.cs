namespace FastLLM.Providers;

/// <summary>The times within an attempt; <see langword="null"/> where only the whole of it is timed.</summary>
internal readonly record struct AttemptTimes(TimeSpan? FirstByte, TimeSpan? Idle);
