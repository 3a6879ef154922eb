using System.Diagnostics;
using System.Globalization;

namespace FastLLM.Benchmarks.Serving;

/// <summary>The server as another process; it stops when this is disposed, or when this process dies.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ServerProcess(Process process, string apiBase)
    {
        _process = process;
        ApiBase = apiBase;
    }

    public string ApiBase { get; }

    public static Task<ServerProcess> StartAsync(
        double latencyMilliseconds = 0, double sigma = 0, int? requestsPerMinute = null, int? tokensPerMinute = null) =>
        StartAsync(latencyMilliseconds, sigma, [.. Limit("--rpm", requestsPerMinute), .. Limit("--tpm", tokensPerMinute)]);

    /// <summary>Starts a server with further arguments of <see cref="ServeCommand"/>.</summary>
    public static async Task<ServerProcess> StartAsync(double latencyMilliseconds, double sigma, IReadOnlyList<string> more)
    {
        Process process = OwnProcess.Start(
        [
            "serve",
            "--latency", latencyMilliseconds.ToString(CultureInfo.InvariantCulture),
            "--sigma", sigma.ToString(CultureInfo.InvariantCulture),
            .. more,
        ]);
        return await process.StandardOutput.ReadLineAsync() is { } apiBase
            ? new ServerProcess(process, apiBase)
            : throw new InvalidOperationException("The server did not start.");
    }

    private static string[] Limit(string name, int? perMinute) => perMinute is { } limit ? [name, limit.ToString(CultureInfo.InvariantCulture)] : [];

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
