using System.Net;
using System.Net.Sockets;
using System.Text;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class StallingProxyTests : IAsyncDisposable
{
    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly StallingProxy _proxy;

    public StallingProxyTests()
    {
        _server.Start();
        _proxy = StallingProxy.Start(((IPEndPoint)_server.LocalEndpoint).Port);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task Bytes_PassInBothDirections()
    {
        (TcpClient client, TcpClient server) = await ConnectAsync();

        await SendAsync(client, "ping");
        Assert.Equal("ping", await ReceiveAsync(server, 4));
        await SendAsync(server, "pong");
        Assert.Equal("pong", await ReceiveAsync(client, 4));

        server.Client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await client.GetStream().ReadAsync(new byte[1], Cancel));
    }

    [Fact]
    public async Task Stall_HoldsBytesUntilResume()
    {
        (TcpClient client, TcpClient server) = await ConnectAsync();

        _proxy.Stall();
        await SendAsync(client, "held");
        Task<string> received = ReceiveAsync(server, 4);
        await _proxy.Held.WaitAsync(Cancel);
        Assert.False(received.IsCompleted);

        _proxy.Resume();
        Assert.Equal("held", await received);
    }

    [Fact]
    public async Task Cut_ResetsConnectionsAndRefusesNewOnes_UntilResume()
    {
        (TcpClient client, TcpClient server) = await ConnectAsync();
        _proxy.Stall();
        await SendAsync(client, "lost");
        await _proxy.Held.WaitAsync(Cancel);

        await _proxy.CutAsync();

        await Assert.ThrowsAsync<IOException>(() => ReceiveAsync(client, 1));
        await Assert.ThrowsAsync<IOException>(() => ReceiveAsync(server, 1));
        await Assert.ThrowsAsync<SocketException>(ConnectAsync);

        _proxy.Resume();
        (client, server) = await ConnectAsync();
        await SendAsync(client, "back");
        Assert.Equal("back", await ReceiveAsync(server, 4));
    }

    private static Task SendAsync(TcpClient from, string text) => from.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text), Cancel).AsTask();

    private static async Task<string> ReceiveAsync(TcpClient by, int count)
    {
        var bytes = new byte[count];
        await by.GetStream().ReadExactlyAsync(bytes, Cancel);
        return Encoding.ASCII.GetString(bytes);
    }

    private async Task<(TcpClient Client, TcpClient Server)> ConnectAsync()
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, Cancel);
        return (client, await _server.AcceptTcpClientAsync(Cancel));
    }
}
