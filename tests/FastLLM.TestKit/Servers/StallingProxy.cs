using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace FastLLM.TestKit.Servers;

/// <summary>A network between clients and a server on the loopback address: it forwards, stalls, is cut, and comes back, as the test says.</summary>
public sealed class StallingProxy : IAsyncDisposable
{
    private readonly ConcurrentBag<(Connection Connection, Task Done)> _connections = [];
    private readonly Lock _gate = new();
    private readonly int _server;
    private TaskCompletionSource _open = Opened();
    private TaskCompletionSource _held = Closed();
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;

    private StallingProxy(int server)
    {
        _server = server;
        Listen();
    }

    /// <summary>Gets the port for clients.</summary>
    public int Port { get; } = LoopbackPort.Take();

    /// <summary>Gets a task that completes when bytes are held by the present stall.</summary>
    public Task Held
    {
        get
        {
            lock (_gate)
            {
                return _held.Task;
            }
        }
    }

    /// <summary>Starts to forward to a port of the loopback address.</summary>
    public static StallingProxy Start(int server) => new(server);

    /// <summary>Holds all bytes of both directions from now on. Connections stay open, and new ones are accepted.</summary>
    public void Stall()
    {
        lock (_gate)
        {
            if (_open.Task.IsCompleted)
            {
                (_open, _held) = (Closed(), Closed());
            }
        }
    }

    /// <summary>Resets all connections, with the bytes that are held, and refuses new ones.</summary>
    public async Task CutAsync()
    {
        _listener?.Dispose();
        _listener = null;
        await _accepting;
        while (_connections.TryTake(out (Connection Connection, Task Done) one))
        {
            one.Connection.Reset();
            await one.Done;
        }
    }

    /// <summary>Forwards again: held bytes first, then all others.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            _open.TrySetResult();
        }

        if (_listener is null)
        {
            Listen();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CutAsync();
        _open.TrySetResult();
    }

    private static TaskCompletionSource Closed() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static TaskCompletionSource Opened()
    {
        TaskCompletionSource opened = Closed();
        opened.SetResult();
        return opened;
    }

    private void Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        listener.Listen();
        _listener = listener;
        _accepting = AcceptAsync(listener);
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            try
            {
                var connection = new Connection(await listener.AcceptAsync());
                _connections.Add((connection, Task.Run(() => ForwardAsync(connection))));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ForwardAsync(Connection connection)
    {
        try
        {
            await connection.Server.ConnectAsync(IPAddress.Loopback, _server);
            await Task.WhenAll(
                CopyAsync(connection.Client, connection.Server, connection.Ended), CopyAsync(connection.Server, connection.Client, connection.Ended));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            connection.Reset(); // one end has gone: so does the other
        }
        finally
        {
            connection.Dispose();
        }
    }

    private async Task CopyAsync(Socket from, Socket to, CancellationToken ended)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            int count = await from.ReceiveAsync(buffer, ended);
            await PassAsync().WaitAsync(ended);
            if (count == 0)
            {
                to.Shutdown(SocketShutdown.Send);
                return;
            }

            for (int sent = 0; sent < count;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), ended);
            }
        }
    }

    private Task PassAsync()
    {
        lock (_gate)
        {
            if (!_open.Task.IsCompleted)
            {
                _held.TrySetResult();
            }

            return _open.Task;
        }
    }

    private sealed class Connection(Socket client) : IDisposable
    {
        private readonly CancellationTokenSource _ended = new();
        private int _reset;

        public Socket Client { get; } = client;

        public Socket Server { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        public CancellationToken Ended => _ended.Token;

        public void Reset()
        {
            Volatile.Write(ref _reset, 1);
            _ended.Cancel();
        }

        public void Dispose()
        {
            foreach (Socket socket in (Socket[])[Client, Server])
            {
                if (Volatile.Read(ref _reset) == 1)
                {
                    socket.LingerState = new LingerOption(enable: true, seconds: 0);
                }

                socket.Dispose();
            }
        }
    }
}
