using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>The error law of the simulator.</summary>
public static class SimulatorErrors
{
    /// <summary>Decides whether a send is answered with an error by <see cref="SimulatorOptions.ErrorRate"/>: a pure function of the seed, the body and how often it was sent.</summary>
    /// <remarks><see cref="SimulatorOptions.FailFirst"/> is not looked at.</remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="send">Which send of this body: 1 for the first since the start or the last <see cref="SimulatorServer.ResetStats"/>.</param>
    /// <returns>Whether that send fails.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="send"/> is less than 1.</exception>
    public static bool Hits(SimulatorOptions options, ReadOnlySpan<byte> body, int send)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(send, 1);
        return Hits(options, BodyHash.Of(body), send);
    }

    internal static bool Hits(SimulatorOptions options, BodyHash hash, int send) =>
        options.ErrorRate > 0 && hash.Fraction((uint)options.Seed + (3UL << 32), (ulong)send) < options.ErrorRate;
}
