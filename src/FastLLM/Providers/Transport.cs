using System.Net;
using Microsoft.Extensions.Logging;

namespace FastLLM.Providers;

/// <summary>Represents the HTTP connection of a manager: one tuned handler with its clients and limits.</summary>
internal sealed class Transport : IDisposable
{
    private readonly HttpMessageHandler? _own;

    public Transport(HttpMessageHandler? given, TimeSpan connectTimeout, long maxResponseBytes, StreamMode streamMode, TimeProvider time,
        ILogger logger)
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

    /// <summary>Gets whether the caller supplied the handler, which may ignore its token.</summary>
    public bool HandlerIsGiven => _own is null;

    /// <summary>Gets an invoker, without the linked token sources, timers and buffers of <see cref="Client"/>.</summary>
    public HttpMessageInvoker Invoker { get; }

    /// <summary>Gets the client for providers that are not built in.</summary>
    public HttpClient Client { get; }

    /// <summary>Gets the maximum bytes of a response.</summary>
    public long MaxResponseBytes { get; }

    /// <summary>Gets which requests are streamed.</summary>
    public StreamMode StreamMode { get; }

    /// <summary>Gets the streams that are watched.</summary>
    public LiveStreams LiveStreams { get; } = new();

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    public void Dispose()
    {
        // Neither disposes a handler that the caller supplied.
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

        // Connections follow DNS changes, survive a pause between two batches, and are closed before most servers close them.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(50),
        EnableMultipleHttp2Connections = true,

        // Model providers need no trace context, and without it the send skips a whole layer.
        ActivityHeadersPropagator = null,
    };
}
