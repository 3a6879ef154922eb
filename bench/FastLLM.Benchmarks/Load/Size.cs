namespace FastLLM.Benchmarks.Load;

/// <summary>How large a load test is.</summary>
/// <param name="Requests">Measured requests of a round.</param>
/// <param name="Warmup">Requests that each candidate answers before anything is measured.</param>
/// <param name="Pairs">How often all candidates take their turn.</param>
/// <param name="InFlight">How many requests are in flight.</param>
/// <param name="LatencyMilliseconds">The server's latency, or its median.</param>
internal sealed record Size(int Requests, int Warmup, int Pairs, int InFlight, double LatencyMilliseconds = 0)
{
    /// <summary>The size that the flags ask for: this one, or the tiny one, and what is set by hand.</summary>
    public Size For(Flags flags, Size tiny)
    {
        Size size = flags.Has("--tiny") ? tiny : this;
        return size with
        {
            Requests = flags.Int("--requests", size.Requests),
            Warmup = flags.Int("--warmup", size.Warmup),
            Pairs = flags.Int("--pairs", size.Pairs),
            InFlight = flags.Int("--in-flight", size.InFlight),
        };
    }
}
