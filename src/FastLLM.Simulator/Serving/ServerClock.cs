namespace FastLLM.Simulator.Serving;

/// <summary>Tells the time by the wall clock at the server's start and a monotonic clock from then on, so that it never jumps.</summary>
internal sealed class ServerClock(TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();
    private readonly TimeSpan _startedAt = time.GetUtcNow() - DateTimeOffset.UnixEpoch;

    /// <summary>Gets the time since 1970-01-01 00:00 UTC.</summary>
    public TimeSpan Now => _startedAt + Elapsed;

    /// <summary>Gets the time since the server's start.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_start);
}
