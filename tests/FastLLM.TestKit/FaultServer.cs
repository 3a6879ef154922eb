using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using FastLLM.Pipeline;

namespace FastLLM.TestKit;

/// <summary>Answers one request, well or badly. Ready-made ones are in <see cref="Fault"/>.</summary>
public delegate Task FaultStep(FaultRequest request, FaultConnection connection);

/// <summary>An HTTP/1.1 server on raw loopback sockets that does to its clients what no proper server can.</summary>
/// <remarks>It reads a request whole, records it, and leaves the rest to a step. Connections are kept alive unless a step closes them or the client asks to.</remarks>
public sealed class FaultServer : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentDictionary<int, (FaultConnection Connection, Task Done)> _connections = new();
    private readonly ConcurrentQueue<Exception> _errors = new();
    private readonly Lock _gate = new();
    private readonly List<FaultRequest> _requests = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiters = [];
    private readonly FaultStep _script;
    private Task _accepting = Task.CompletedTask;
    private int _accepted;
    private int _numbered;

    private FaultServer(FaultStep script)
    {
        _script = script;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        BaseUrl = new Uri($"http://127.0.0.1:{Port}/v1");
    }

    public int Port { get; }

    /// <summary>The base address for clients: <c>http://127.0.0.1:PORT/v1</c>.</summary>
    public Uri BaseUrl { get; }

    public string ApiBase => BaseUrl.OriginalString;

    /// <summary>The requests received whole so far, in order.</summary>
    public IReadOnlyList<FaultRequest> Requests
    {
        get
        {
            lock (_gate)
            {
                return [.. _requests];
            }
        }
    }

    /// <summary>How many connections were accepted.</summary>
    public int Connections => Volatile.Read(ref _accepted);

    /// <summary>What steps threw, other than for a connection that had gone.</summary>
    public IReadOnlyCollection<Exception> Errors => _errors;

    /// <summary>Starts a server that answers every request with one step.</summary>
    public static FaultServer Start(FaultStep script)
    {
        FaultServer server = Refuse(script);
        server.Listen();
        return server;
    }

    /// <summary>Reserves a port that refuses connections until <see cref="Listen"/> is called.</summary>
    public static FaultServer Refuse(FaultStep script) => new(script);

    /// <summary>Accepts connections from now on.</summary>
    public void Listen()
    {
        _listener.Listen(4096);
        _accepting = AcceptAsync();
    }

    /// <summary>Starts a server that takes one step after the other, and <paramref name="otherwise"/> when they are used up.</summary>
    public static FaultServer Start(IEnumerable<FaultStep> steps, FaultStep otherwise)
    {
        var queue = new ConcurrentQueue<FaultStep>(steps);
        return Start((request, connection) => (queue.TryDequeue(out FaultStep? step) ? step : otherwise)(request, connection));
    }

    /// <summary>Completes when at least <paramref name="count"/> requests were received whole.</summary>
    public Task WaitForRequestsAsync(int count, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_requests.Count >= count)
            {
                return Task.CompletedTask;
            }

            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((count, reached));
            return reached.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Closes all connections, also stalled ones, and frees the port.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_closing.IsCancellationRequested)
        {
            return;
        }

        await _closing.CancelAsync();
        _listener.Dispose();
        await _accepting;
        foreach ((FaultConnection connection, Task done) in _connections.Values)
        {
            connection.Close();
            await done;
        }

        _closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_closing.Token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }

            socket.NoDelay = true;
            var connection = new FaultConnection(socket, Interlocked.Increment(ref _accepted), _closing.Token);
            _connections[connection.Number] = (connection, Task.Run(() => ServeAsync(connection)));
        }
    }

    private async Task ServeAsync(FaultConnection connection)
    {
        try
        {
            while (connection.IsOpen && await connection.ReadAsync(() => Interlocked.Increment(ref _numbered)) is { } request)
            {
                Record(request);
                await _script(request, connection);
                if (string.Equals(request.Header("Connection"), "close", StringComparison.OrdinalIgnoreCase))
                {
                    break;
                }
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client has left, the step has closed the connection, or the server ends.
        }
#pragma warning disable CA1031 // a step is the test's code: whatever it throws is shown, and ends its connection only
        catch (Exception e)
#pragma warning restore CA1031
        {
            _errors.Enqueue(e);
        }
        finally
        {
            connection.Close();
        }
    }

    private void Record(FaultRequest request)
    {
        lock (_gate)
        {
            _requests.Add(request);
            for (int i = _waiters.Count - 1; i >= 0; i--)
            {
                if (_waiters[i].Count <= _requests.Count)
                {
                    _waiters[i].Reached.TrySetResult();
                    _waiters.RemoveAt(i);
                }
            }
        }
    }
}
