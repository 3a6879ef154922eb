using System.Net;
using Microsoft.Extensions.Logging;

namespace FastLLM.Providers;

/// <summary>The way out: one tuned handler, and what goes with it.</summary>
internal sealed class Transport : IDisposable
{
    private readonly HttpMessageHandler? _own;

    public Transport(HttpMessageHandler? given, TimeSpan connectTimeout, long maxResponseBytes, StreamMode streamMode, TimeProvider time, ILogger logger)
    {
        _own = given is null ? CreateHandler(connectTimeout) : null;
        HttpMessageHandler handler = given ?? _own!;
        Invoker = new HttpMessageInvoker(handler, disposeHandler: false);
        Client = new HttpClient(handler, disposeHandler: false)
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = maxResponseBytes,
        };
        MaxResponseBytes = maxResponseBytes;
        StreamMode = streamMode;
        Time = time;
        Logger = logger;
    }

    /// <summary>Whether the handler is the caller's own, which may not listen to its token.</summary>
    public bool HandlerIsGiven => _own is null;

    /// <summary>Sends without the linked token sources, timers and buffers of <see cref="Client"/>.</summary>
    public HttpMessageInvoker Invoker { get; }

    /// <summary>Sends for providers that are not ours.</summary>
    public HttpClient Client { get; }

    /// <summary>The most bytes of one response.</summary>
    public long MaxResponseBytes { get; }

    /// <summary>Which answers are asked for as streams.</summary>
    public StreamMode StreamMode { get; }

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    public void Dispose()
    {
        // Neither disposes a handler that was given.
        Client.Dispose();
        Invoker.Dispose();
        _own?.Dispose();
    }

    private static SocketsHttpHandler CreateHandler(TimeSpan connectTimeout) => new()
    {
        // A redirect would carry prompts and api-key headers to another host.
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = connectTimeout,

        // New addresses are picked up; idle connections outlive a pause between two batches, but not most servers' patience.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(50),
        EnableMultipleHttp2Connections = true,

        // Trace context is not for model providers, and without it a whole layer is left out of every send.
        ActivityHeadersPropagator = null,
    };
}
