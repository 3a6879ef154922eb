using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>The latency law of the simulator.</summary>
public static class SimulatorLatency
{
    /// <summary>Computes how long the simulator takes to answer a body: a pure function of the seed and the body, the same for every send of it.</summary>
    /// <remarks>With a positive σ the latency is <c>Latency × exp(σ z)</c>, z standard normal, rounded up to the whole milliseconds that timers count in, at most a day. A benchmark may therefore compute the draws beforehand.</remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <returns>The time between the request's last byte and the answer's first.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    public static TimeSpan Of(SimulatorOptions options, ReadOnlySpan<byte> body)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Of(options, BodyHash.Of(body));
    }

    internal static TimeSpan Of(SimulatorOptions options, BodyHash hash)
    {
        if (options.LatencySigma == 0 || options.Latency == TimeSpan.Zero)
        {
            return options.Latency;
        }

        const ulong radius = 1UL << 32, angle = 2UL << 32;
        ulong seed = (uint)options.Seed;
        double z = Math.Sqrt(-2 * Math.Log(1 - hash.Fraction(seed + radius))) * Math.Cos(2 * Math.PI * hash.Fraction(seed + angle));
        double milliseconds = Math.Ceiling(options.Latency.TotalMilliseconds * Math.Exp(options.LatencySigma * z));
        return milliseconds < SimulatorOptions.MaxLatency.TotalMilliseconds ? TimeSpan.FromMilliseconds(milliseconds) : SimulatorOptions.MaxLatency;
    }
}
