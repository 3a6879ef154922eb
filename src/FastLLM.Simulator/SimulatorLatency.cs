using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>The latency law of the simulator.</summary>
public static class SimulatorLatency
{
    /// <summary>Computes how long the simulator takes to answer a body: a pure function of the seed and the body, the same for every send of it.</summary>
    /// <remarks>Without what <see cref="SimulatorOptions.TokensPerSecond"/> adds (<see cref="OfOutput"/>); a send that is refused by a limit does not wait at all. With a positive σ the latency is <c>Latency × exp(σ z)</c>, z standard normal, rounded up to the whole milliseconds that timers count in, at most a day. A benchmark may therefore compute the draws beforehand.</remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <returns>The time between the request's last byte and the answer's first.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    public static TimeSpan Of(SimulatorOptions options, ReadOnlySpan<byte> body)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Of(options, BodyHash.Of(body));
    }

    /// <summary>Computes how long the simulator takes to write an answer at <see cref="SimulatorOptions.TokensPerSecond"/>: before the first byte of a plain answer, between the first and the last of a streamed one.</summary>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="completionTokens">What the answer's usage says.</param>
    /// <returns>The time, rounded up to the whole milliseconds that timers count in, at most a day; zero when no speed is set.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    public static TimeSpan OfOutput(SimulatorOptions options, long completionTokens)
    {
        ArgumentNullException.ThrowIfNull(options);
        double milliseconds = options.TokensPerSecond is { } speed ? Math.Ceiling(completionTokens * 1000.0 / speed) : 0;
        return milliseconds < SimulatorOptions.MaxLatency.TotalMilliseconds ? TimeSpan.FromMilliseconds(milliseconds) : SimulatorOptions.MaxLatency;
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
