using System.Globalization;
using System.Text.Json;

namespace FastLLM.TestKit.Crash;

/// <summary>The simulated provider in a process of its own, which survives whatever is done to its clients and keeps the ledger.</summary>
public sealed class SimulatorProcess : IAsyncDisposable
{
    private static readonly TimeSpan Settles = TimeSpan.FromMilliseconds(20);

    private readonly ToolProcess _process;
    private readonly HttpClient _client = new();

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

    /// <summary>Reads the ledger when nothing is in flight any more. To be called when the clients have ended.</summary>
    public async Task<SentLedger> LedgerAsync()
    {
        while (true)
        {
            using JsonDocument stats = JsonDocument.Parse(await _client.GetStringAsync(new Uri($"{ApiBase}/../simulator/stats")));
            if (stats.RootElement.GetProperty("in_flight").GetInt32() == 0)
            {
                break;
            }

            await Task.Delay(Settles);
        }

        // A request leaves that count before its answer does.
        for (byte[] before = []; ;)
        {
            byte[] now = await _client.GetByteArrayAsync(new Uri($"{ApiBase}/../simulator/ledger"));
            if (now.Length == before.Length)
            {
                return SentLedger.Parse(now);
            }

            before = now;
            await Task.Delay(Settles);
        }
    }

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        _process.Dispose();
        return ValueTask.CompletedTask;
    }
}
