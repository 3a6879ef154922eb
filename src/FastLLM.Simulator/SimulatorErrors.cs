using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>Specifies the fault that a send meets.</summary>
public enum SimulatorFault
{
    /// <summary>No fault: the send gets its answer.</summary>
    None,

    /// <summary>The answer is <see cref="SimulatorOptions.ErrorStatus"/>; see <see cref="SimulatorOptions.ErrorRate"/>.</summary>
    Error,

    /// <summary>No answer ever comes; see <see cref="SimulatorOptions.StallRate"/>.</summary>
    Stall,

    /// <summary>The connection is reset before the answer; see <see cref="SimulatorOptions.ResetRate"/>.</summary>
    Reset,

    /// <summary>The answer breaks off in the middle; see <see cref="SimulatorOptions.CutRate"/>.</summary>
    Cut,

    /// <summary>The answer has status 200 and holds an error; see <see cref="SimulatorOptions.ErrorInOkRate"/>.</summary>
    ErrorInOk,
}

/// <summary>Computes the faults of the simulator.</summary>
public static class SimulatorErrors
{
    /// <summary>Computes whether a send meets an error by <see cref="SimulatorOptions.ErrorRate"/>.</summary>
    /// <remarks>It ignores <see cref="SimulatorOptions.FailFirst"/>.</remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="send">The number of the send of this body, from 1 on; <see cref="SimulatorServer.ResetStats"/> starts it again.</param>
    /// <returns>Whether that send fails.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="send"/> is less than 1.</exception>
    public static bool Hits(SimulatorOptions options, ReadOnlySpan<byte> body, int send) =>
        FaultOf(options, body, send) == SimulatorFault.Error;

    /// <summary>Computes the fault that hits a send: a pure function of the seed, the rates, the body and how often it was sent.</summary>
    /// <remarks>
    /// It ignores <see cref="SimulatorOptions.FailFirst"/> and all limits: a send that these refuse meets no fault, but counts as a send.
    /// </remarks>
    /// <param name="options">The options the server was started with.</param>
    /// <param name="body">The bytes of the request body, exactly as sent.</param>
    /// <param name="send">The number of the send of this body, from 1 on; <see cref="SimulatorServer.ResetStats"/> starts it again.</param>
    /// <returns>The fault.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="send"/> is less than 1.</exception>
    public static SimulatorFault FaultOf(SimulatorOptions options, ReadOnlySpan<byte> body, int send)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(send, 1);
        return Draw(options, BodyHash.Of(body), send);
    }

    internal static SimulatorFault Draw(SimulatorOptions options, BodyHash hash, int send)
    {
        // One draw for all: faults exclude each other, and adding a rate does not change the hits of those before it.
        double left = hash.Fraction((uint)options.Seed + (3UL << 32), (ulong)send);
        return (left -= options.ErrorRate) < 0 ? SimulatorFault.Error
            : (left -= options.StallRate) < 0 ? SimulatorFault.Stall
            : (left -= options.ResetRate) < 0 ? SimulatorFault.Reset
            : (left -= options.CutRate) < 0 ? SimulatorFault.Cut
            : left < options.ErrorInOkRate ? SimulatorFault.ErrorInOk
            : SimulatorFault.None;
    }
}
