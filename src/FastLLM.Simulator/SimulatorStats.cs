using System.Text;
using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>Represents a snapshot of what the simulator has seen since its start or <see cref="SimulatorServer.ResetStats"/>.</summary>
/// <remarks>
/// Requests to <c>/simulator/stats</c> are not counted, so that asking changes nothing. A send is counted before its answer leaves:
/// a client that holds an answer finds it counted.
/// </remarks>
public sealed class SimulatorStats
{
    /// <summary>Gets the number of requests by path and status.</summary>
    /// <remarks>
    /// Paths that are not served are counted as <c>other</c>, requests whose client left before the end of the answer as status 499,
    /// and those whose connection was reset on purpose as 444.
    /// </remarks>
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<int, long>> Requests { get; init; }

    /// <summary>Gets the number of sends: bodies for chat completions, responses, completions or embeddings that arrived whole, whatever
    /// the answer.</summary>
    public required long Sends { get; init; }

    /// <summary>Gets the number of different bodies among the sends; the others were sent more than once.</summary>
    public required long DistinctBodies { get; init; }

    /// <summary>Gets the number of requests that are being answered now.</summary>
    public required int InFlight { get; init; }

    /// <summary>Gets the highest value of <see cref="InFlight"/>.</summary>
    /// <remarks>A client with N slots never sees more than N here: a request leaves the count before its answer does.</remarks>
    public required int PeakInFlight { get; init; }

    /// <summary>Gets the number of answers to sends with status 200 that were sent whole: what a provider would bill.</summary>
    /// <remarks>Errors with that status, and answers that break off on purpose, are not counted.</remarks>
    public required long BodiesSent { get; init; }

    /// <summary>Gets the number of requests that were answered with status 429, whatever the reason.</summary>
    public required long Rejected { get; init; }

    /// <summary>Gets the number of sends hit by each fault, also by <see cref="SimulatorOptions.FailFirst"/>, unless it is 0.</summary>
    public required IReadOnlyDictionary<SimulatorFault, long> Faults { get; init; }

    /// <summary>Gets the number of sends refused by each law of throttling, unless it is 0.</summary>
    /// <remarks>Where several laws refuse a send, the first in the order of <see cref="SimulatorOptions.ThrottleLaws"/> counts.</remarks>
    public required IReadOnlyDictionary<ThrottleLaw, long> Throttled { get; init; }

    /// <summary>Gets the number of requests for a path that were answered with a status.</summary>
    /// <param name="path">The path, for example <c>/v1/chat/completions</c>.</param>
    /// <param name="status">The HTTP status.</param>
    /// <returns>The number; 0 where there was none.</returns>
    public long Count(string path, int status) =>
        Requests.TryGetValue(path, out IReadOnlyDictionary<int, long>? statuses) ? statuses.GetValueOrDefault(status) : 0;

    internal void WriteTo(JsonOut output)
    {
        output.Open('{');
        output.Open("requests"u8, '{');
        foreach ((string path, IReadOnlyDictionary<int, long> statuses) in Requests)
        {
            Write(Encoding.UTF8.GetBytes(path), statuses, static status => Encoding.UTF8.GetBytes($"{status}"), output);
        }

        output.Close('}');
        output.Member("sends"u8, Sends);
        output.Member("distinct_bodies"u8, DistinctBodies);
        output.Member("in_flight"u8, InFlight);
        output.Member("peak_in_flight"u8, PeakInFlight);
        output.Member("bodies_sent"u8, BodiesSent);
        output.Member("rejected"u8, Rejected);
        Write("faults"u8, Faults, NameOf, output);
        Write("throttled"u8, Throttled, static law => Encoding.UTF8.GetBytes(law.ToString()), output);
        output.Close('}');
    }

    private static void Write<T>(ReadOnlySpan<byte> name, IReadOnlyDictionary<T, long> counts, Func<T, byte[]> nameOf, JsonOut output)
    {
        output.Open(name, '{');
        foreach ((T key, long count) in counts)
        {
            output.Member(nameOf(key), count);
        }

        output.Close('}');
    }

    private static byte[] NameOf(SimulatorFault fault) => fault switch
    {
        SimulatorFault.Error => [.. "error"u8],
        SimulatorFault.Stall => [.. "stall"u8],
        SimulatorFault.Reset => [.. "reset"u8],
        SimulatorFault.Cut => [.. "cut"u8],
        _ => [.. "error_in_ok"u8],
    };
}
