using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>Computes the latencies of the simulator.</summary>
public static class SimulatorLatency
{
    /// <summary>Computes the latency of a body: a pure function of the seed and the body.</summary>
    /// <remarks>
    /// With a positive σ it is <c>Latency × exp(σ z)</c>, z standard normal, rounded up to whole milliseconds, at most a day.
    /// <see cref="SimulatorOptions.TokensPerSecond"/> adds <see cref="OfOutput"/>. A refused send does not wait.
    /// </remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <returns>The time between the request's last byte and the answer's first.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    public static TimeSpan Of(SimulatorOptions options, ReadOnlySpan<byte> body)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Of(options, BodyHash.Of(body));
    }

    /// <summary>Computes the time to write an answer at <see cref="SimulatorOptions.TokensPerSecond"/>.</summary>
    /// <remarks>It passes before the first byte of a plain answer, or between the first and the last of a streamed one.</remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="completionTokens">The completion tokens of the answer's usage.</param>
    /// <returns>The time, rounded up to whole milliseconds, at most a day; zero when no speed is set.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    public static TimeSpan OfOutput(SimulatorOptions options, long completionTokens)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.TokensPerSecond is { } speed ? Milliseconds(completionTokens * 1000.0 / speed) : TimeSpan.Zero;
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
        return Milliseconds(options.Latency.TotalMilliseconds * Math.Exp(options.LatencySigma * z));
    }

    // Timers count in whole milliseconds.
    private static TimeSpan Milliseconds(double milliseconds) => milliseconds < SimulatorOptions.MaxLatency.TotalMilliseconds
        ? TimeSpan.FromMilliseconds(Math.Ceiling(milliseconds))
        : SimulatorOptions.MaxLatency;
}
