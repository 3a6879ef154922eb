using FastLLM.Diagnostics;
using FastLLM.Simulator;

namespace FastLLM.Cli;

/// <summary>Represents a provider that is ready to use. Disposing it stops the simulator, if one was started.</summary>
internal sealed class Connection : IAsyncDisposable
{
    // Long enough to show progress, short enough to process a thousand rows in seconds.
    private static readonly TimeSpan SimulatedLatency = TimeSpan.FromMilliseconds(200);

    private readonly IAsyncDisposable? _server;

    /// <summary>Initializes a connection.</summary>
    public Connection(OpenAIProvider provider, string baseUrl, IAsyncDisposable? server = null)
    {
        Provider = provider;
        BaseUrl = baseUrl;
        _server = server;
    }

    /// <summary>Gets the provider.</summary>
    public OpenAIProvider Provider { get; }

    /// <summary>Gets how many requests may be in flight. The simulator has the other ends of their connections in this process, and the
    /// lack of a file descriptor would end it.</summary>
    public int MaxInFlight => _server is null ? int.MaxValue : Math.Max(1, Descriptors.CountFree() / 2);

    /// <summary>Gets the base URL of the provider.</summary>
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

    // The port differs between runs, but the answers are the same: the cache scope must not depend on it.
    private sealed class SimulatorProvider(string apiBase, int seed) : OpenAIProvider("", apiBase)
    {
        public override string CacheScope { get; } = FormattableString.Invariant($"simulator {seed}");
    }
}
