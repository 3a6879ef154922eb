using System.Net;
using FastLLM.Simulator.Serving;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FastLLM.Simulator;

/// <summary>Serves a simulated LLM provider with OpenAI's protocol on the loopback address, for tests, samples and benchmarks.</summary>
/// <remarks>
/// <para>It serves <c>POST /v1/chat/completions</c>, <c>/v1/responses</c> and <c>/v1/completions</c> (also streamed),
/// <c>POST /v1/embeddings</c>, <c>GET /v1/models</c>, <c>GET /v1/models/{model}</c> and <c>GET /simulator/stats</c> (with
/// <see cref="SimulatorOptions.Ledger"/> also <c>GET /simulator/ledger</c>) over HTTP/1.1. Tools are called with arguments that fit their
/// schema, and formats are kept, as <c>docs/simulator.md</c> describes.
/// It accepts any API key. An answer is a function of its request only: see <see cref="SimulatorAnswers"/>.</para>
/// <para>The same options and the same sends, one after the other, give the same trace: statuses, bodies, latencies and faults.
/// With limits or laws of throttling, the trace also depends on the times of the sends.</para>
/// <para>Safe for concurrent use.</para>
/// </remarks>
/// <example>
/// <code>
/// await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) });
/// Console.WriteLine(simulator.BaseUrl); // http://127.0.0.1:40123/v1
/// </code>
/// </example>
public sealed class SimulatorServer : IAsyncDisposable
{
    private readonly KestrelServer _kestrel;
    private readonly Counters _counters;
    private readonly RequestLog? _requests;
    private Task? _stopped;

    private SimulatorServer(KestrelServer kestrel, Counters counters, RequestLog? requests, Uri baseUrl)
    {
        _kestrel = kestrel;
        _counters = counters;
        _requests = requests;
        BaseUrl = baseUrl;
    }

    /// <summary>Gets the base address for clients, for example <c>http://127.0.0.1:40123/v1</c>.</summary>
    public Uri BaseUrl { get; }

    /// <summary>Gets <see cref="BaseUrl"/> as text, without a trailing slash.</summary>
    public string ApiBase => BaseUrl.OriginalString;

    /// <summary>Gets a snapshot of the counts; the same as <c>GET /simulator/stats</c>.</summary>
    public SimulatorStats Stats => _counters.Snapshot();

    /// <summary>Gets the requests with a body that have arrived so far, in their order.</summary>
    /// <exception cref="InvalidOperationException"><see cref="SimulatorOptions.RecordRequests"/> is not set.</exception>
    public IReadOnlyList<SimulatorRequest> Requests => _requests?.Requests ?? throw new InvalidOperationException(
        $"Requests are not kept. Set {nameof(SimulatorOptions)}.{nameof(SimulatorOptions.RecordRequests)} before the start.");

    /// <summary>Starts a simulator.</summary>
    /// <param name="options">Its options; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <returns>The server, which is listening.</returns>
    /// <exception cref="ArgumentException">The rates of faults add up to more than 1.</exception>
    /// <exception cref="IOException">The port is in use.</exception>
    public static async Task<SimulatorServer> StartAsync(SimulatorOptions? options = null, CancellationToken cancellationToken = default)
    {
        options = options?.Copy() ?? new SimulatorOptions();
        options.Validate();
        var counters = new Counters();
        var application = new SimulatorApplication(options, counters);

        var kestrelOptions = new KestrelServerOptions { AddServerHeader = false };
        kestrelOptions.Limits.MaxRequestBodySize = RequestBody.MaxBytes;
        kestrelOptions.Limits.MinRequestBodyDataRate = null; // a client that is slow under load is not the simulator's business
        kestrelOptions.Limits.MinResponseDataRate = null;
        kestrelOptions.Limits.KeepAliveTimeout = TimeSpan.FromHours(1);
        kestrelOptions.Listen(IPAddress.Loopback, options.Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            if (application.Ledger is { } ledger)
            {
                listen.Use(next => connection => ledger.CountAsync(connection, next));
            }
        });

        var transportOptions = new SocketTransportOptions
        {
            Backlog = 4096, // thousands of clients may connect at once
            WaitForDataBeforeAllocatingBuffer = false,
            UnsafePreferInlineScheduling = true, // nothing here blocks
        };

        var kestrel = new KestrelServer(
            Options.Create(kestrelOptions),
            new SocketTransportFactory(Options.Create(transportOptions), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
        try
        {
            await kestrel.StartAsync(application, cancellationToken).ConfigureAwait(false);
            string address = kestrel.Features.Get<IServerAddressesFeature>()!.Addresses.Single();
            return new SimulatorServer(kestrel, counters, application.Requests, new Uri(address + "/v1"));
        }
        catch
        {
            kestrel.Dispose();
            throw;
        }
    }

    /// <summary>Resets <see cref="Stats"/>, except for what is in flight, and how often each body was sent; and
    /// <see cref="Requests"/>.</summary>
    public void ResetStats()
    {
        _counters.Reset();
        _requests?.Clear();
    }

    /// <summary>Waits until <see cref="Stats"/> satisfies a condition, so that a test need not poll.</summary>
    /// <param name="condition">The condition, checked now and whenever a request meets a fault, is answered or is given up.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>A task that completes when the condition is met.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="condition"/> is <see langword="null"/>.</exception>
    public Task UntilAsync(Func<SimulatorStats, bool> condition, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return _counters.UntilAsync(condition).WaitAsync(cancellationToken);
    }

    /// <summary>Stops listening and aborts what is in flight, also sends that wait. Does nothing the second time.</summary>
    /// <param name="cancellationToken">Cancels the wait for the end; the server stops all the same.</param>
    /// <returns>A task that completes when the port is free.</returns>
    public Task StopAsync(CancellationToken cancellationToken = default)
    {
        lock (_counters)
        {
            // A token that is already canceled makes Kestrel abort its connections instead of waiting for them.
            _stopped ??= _kestrel.StopAsync(new CancellationToken(canceled: true));
        }

        return _stopped.WaitAsync(cancellationToken);
    }

    /// <summary>As <see cref="StopAsync"/>.</summary>
    /// <returns>A task that completes when the port is free.</returns>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _kestrel.Dispose();
    }
}
