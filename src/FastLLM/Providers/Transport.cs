using System.Net;
using FastLLM.Diagnostics;
using Microsoft.Extensions.Logging;

namespace FastLLM.Providers;

/// <summary>Represents the HTTP connections of a manager: tuned handlers with their clients and limits.</summary>
internal sealed class Transport : IDisposable
{
    private static readonly TimeSpan ReusedFor = TimeSpan.FromMinutes(5);

    private readonly ConnectionGuard _guard;
    private readonly Route _route;
    private readonly Lazy<Route> _oneWay;

    public Transport(RequestManagerOptions options, ILogger logger)
    {
        _guard = new ConnectionGuard(logger);
        HandlerIsGiven = options.HttpMessageHandler is not null;
        MaxResponseBytes = options.MaxResponseBytes;
        Memory = new ResponseMemory(options.MaxResponseMemory);
        StreamMode = options.StreamMode;
        Time = options.TimeProvider;
        Logger = logger;
        TimeSpan connectTimeout = options.ConnectTimeout;
        _route = new Route(options.HttpMessageHandler ?? CreateHandler(connectTimeout, ReusedFor), MaxResponseBytes);
        _oneWay = new Lazy<Route>(() => new Route(CreateHandler(connectTimeout, reusedFor: TimeSpan.Zero), MaxResponseBytes));
    }

    /// <summary>Gets whether the caller supplied the handler, which may ignore its token.</summary>
    public bool HandlerIsGiven { get; }

    /// <summary>Gets an invoker, without the linked token sources, timers and buffers of <see cref="Client"/>.</summary>
    public HttpMessageInvoker Invoker => Present.Invoker;

    /// <summary>Gets the client for providers that are not built in.</summary>
    public HttpClient Client => Present.Client;

    /// <summary>Gets the maximum bytes of a response.</summary>
    public long MaxResponseBytes { get; }

    /// <summary>Gets the memory that responses in flight may take together.</summary>
    public ResponseMemory Memory { get; }

    /// <summary>Gets which requests are streamed.</summary>
    public StreamMode StreamMode { get; }

    /// <summary>Gets the streams that are watched.</summary>
    public LiveStreams LiveStreams { get; } = new();

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    // If a server sends responses that were not requested, or closes connections silently, each connection carries one request.
    private Route Present => _guard.IsBroken ? _oneWay.Value : _route;

    public void Dispose()
    {
        _route.Dispose(withHandler: !HandlerIsGiven);
        if (_oneWay.IsValueCreated)
        {
            _oneWay.Value.Dispose(withHandler: true);
        }
    }

    private SocketsHttpHandler CreateHandler(TimeSpan connectTimeout, TimeSpan reusedFor) => new()
    {
        // A redirect would carry prompts and api-key headers to another host.
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = connectTimeout,

        // Connections follow DNS changes, survive a pause between two batches, and are closed before most servers close them.
        PooledConnectionLifetime = reusedFor,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(50),
        EnableMultipleHttp2Connections = true,

        // Files need descriptors too: connections wait for each other rather than take the last one.
        MaxConnectionsPerServer = Descriptors.CountFree(),
        ConnectCallback = Connector.ConnectAsync,
        PlaintextStreamFilter = (context, _) => new ValueTask<Stream>(new GuardedStream(context.PlaintextStream, _guard)),

        // Model providers need no trace context, and without it the send skips a whole layer.
        ActivityHeadersPropagator = null,
    };

    /// <summary>Represents a handler and the two ways to use it.</summary>
    private sealed class Route(HttpMessageHandler handler, long maxResponseBytes)
    {
        public HttpMessageInvoker Invoker { get; } = new(handler, disposeHandler: false);

        public HttpClient Client { get; } = new(handler, disposeHandler: false)
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = maxResponseBytes,
        };

        public void Dispose(bool withHandler)
        {
            Client.Dispose();
            Invoker.Dispose();
            if (withHandler)
            {
                handler.Dispose();
            }
        }
    }
}
