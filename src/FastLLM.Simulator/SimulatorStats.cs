using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator;

/// <summary>What the simulator has seen since its start, or since <see cref="SimulatorServer.ResetStats"/>: a snapshot.</summary>
/// <remarks>Questions to <c>/simulator/stats</c> are not counted, so that asking changes nothing. A send is counted before its answer leaves: whoever holds an answer finds it counted.</remarks>
public sealed class SimulatorStats
{
    /// <summary>Gets the number of requests by path and status. Paths that are not served are counted as <c>other</c>; requests whose client left before the end of the answer as status 499; those whose connection was reset on purpose as 444.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<int, long>> Requests { get; init; }

    /// <summary>Gets the number of sends: request bodies for an answering endpoint that arrived whole, whatever became of them.</summary>
    public required long Sends { get; init; }

    /// <summary>Gets how many different bodies were among the sends; <see cref="Sends"/> minus this is what was asked more than once.</summary>
    public required long DistinctBodies { get; init; }

    /// <summary>Gets how many requests are being answered now.</summary>
    public required int InFlight { get; init; }

    /// <summary>Gets the highest value of <see cref="InFlight"/>. A client with N slots never sees more than N here: a request leaves the count before its answer does.</summary>
    public required int PeakInFlight { get; init; }

    /// <summary>Gets how many answers of status 200 to sends were handed to the connection whole: what a provider would bill. Errors with that status, and answers that break off on purpose, are not counted.</summary>
    public required long BodiesSent { get; init; }

    /// <summary>Gets how many requests were answered with status 429, whatever the reason.</summary>
    public required long Rejected { get; init; }

    /// <summary>Gets how many sends were hit by which fault, also by <see cref="SimulatorOptions.FailFirst"/>. Faults that hit none are left out.</summary>
    public required IReadOnlyDictionary<SimulatorFault, long> Faults { get; init; }

    /// <summary>Gets how many of the requests for <paramref name="path"/> were answered with <paramref name="status"/>.</summary>
    /// <param name="path">The path, for example <c>/v1/chat/completions</c>.</param>
    /// <param name="status">The HTTP status.</param>
    /// <returns>The number; 0 where there was none.</returns>
    public long Count(string path, int status) =>
        Requests.TryGetValue(path, out IReadOnlyDictionary<int, long>? statuses) ? statuses.GetValueOrDefault(status) : 0;

    internal void WriteTo(JsonOut output)
    {
        output.Open('{');
        output.Name("requests"u8);
        output.Open('{');
        foreach ((string path, IReadOnlyDictionary<int, long> statuses) in Requests)
        {
            output.Name(System.Text.Encoding.UTF8.GetBytes(path));
            output.Open('{');
            foreach ((int status, long count) in statuses)
            {
                output.Name(System.Text.Encoding.UTF8.GetBytes($"{status}"));
                output.Number(count);
            }

            output.Close('}');
        }

        output.Close('}');
        output.Name("sends"u8);
        output.Number(Sends);
        output.Name("distinct_bodies"u8);
        output.Number(DistinctBodies);
        output.Name("in_flight"u8);
        output.Number(InFlight);
        output.Name("peak_in_flight"u8);
        output.Number(PeakInFlight);
        output.Name("bodies_sent"u8);
        output.Number(BodiesSent);
        output.Name("rejected"u8);
        output.Number(Rejected);
        output.Name("faults"u8);
        output.Open('{');
        foreach ((SimulatorFault fault, long count) in Faults)
        {
            output.Name(NameOf(fault));
            output.Number(count);
        }

        output.Close('}');
        output.Close('}');
    }

    private static ReadOnlySpan<byte> NameOf(SimulatorFault fault) => fault switch
    {
        SimulatorFault.Error => "error"u8,
        SimulatorFault.Stall => "stall"u8,
        SimulatorFault.Reset => "reset"u8,
        SimulatorFault.Cut => "cut"u8,
        _ => "error_in_ok"u8,
    };
}
