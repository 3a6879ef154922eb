using FastLLM.Simulator;

namespace FastLLM.Cli;

/// <summary>A provider that is ready to be asked. Disposing it stops the simulator, if one was started for it.</summary>
internal sealed class Connection : IAsyncDisposable
{
    // Long enough for progress to be seen, short enough for a thousand rows to be done in seconds.
    private static readonly TimeSpan SimulatedLatency = TimeSpan.FromMilliseconds(200);

    private readonly IAsyncDisposable? _server;

    /// <summary>Takes a provider that needs nothing started.</summary>
    public Connection(OpenAIProvider provider, string baseUrl, IAsyncDisposable? server = null)
    {
        Provider = provider;
        BaseUrl = baseUrl;
        _server = server;
    }

    /// <summary>Gets who answers.</summary>
    public OpenAIProvider Provider { get; }

    /// <summary>Gets where it is.</summary>
    public string BaseUrl { get; }

    /// <summary>Starts the built-in simulator on a free loopback port.</summary>
    public static async Task<Connection> ToSimulatorAsync(CancellationToken cancellationToken = default)
    {
        var options = new SimulatorOptions { Latency = SimulatedLatency };
        SimulatorServer server = await SimulatorServer.StartAsync(options, cancellationToken).ConfigureAwait(false);
        return new Connection(new SimulatorProvider(server.ApiBase, options.Seed), server.ApiBase, server);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;

    // The port is another one each time, the answers are the same.
    private sealed class SimulatorProvider(string apiBase, int seed) : OpenAIProvider("", apiBase)
    {
        public override string CacheScope { get; } = FormattableString.Invariant($"simulator {seed}");
    }
}
