using System.Globalization;

namespace FastLLM.TestKit.Crash;

/// <summary>The simulated provider in a process of its own, which survives whatever is done to its clients and keeps the ledger.</summary>
public sealed class SimulatorProcess : IAsyncDisposable
{
    private readonly ToolProcess _process;

    private SimulatorProcess(ToolProcess process, string apiBase)
    {
        _process = process;
        ApiBase = apiBase;
    }

    public string ApiBase { get; }

    public static async Task<SimulatorProcess> StartAsync(TimeSpan latency, int seed)
    {
        // Without white space, so that a body in OUTPUT has the bytes that were sent.
        ToolProcess process = ToolProcess.Start(
            Path.GetTempPath(), null, "simulate", "--ledger", "--compact", "--latency", string.Create(CultureInfo.InvariantCulture, $"{latency.TotalMilliseconds}ms"),
            "--latency-sigma", "0.3", "--seed", seed.ToString(CultureInfo.InvariantCulture));
        return await process.Output.ReadLineAsync() is { } apiBase
            ? new SimulatorProcess(process, apiBase)
            : throw new InvalidOperationException("The simulator did not start.");
    }

    /// <summary>Reads the ledger. To be called when the clients have ended; what they sent last is waited for.</summary>
    public async Task<SentLedger> LedgerAsync()
    {
        // By a connection of its own: it is accepted after those of the clients.
        using var client = new HttpClient();
        return SentLedger.Parse(await client.GetByteArrayAsync(new Uri($"{ApiBase}/../simulator/ledger?idle")));
    }

    public ValueTask DisposeAsync()
    {
        _process.Dispose();
        return ValueTask.CompletedTask;
    }
}
