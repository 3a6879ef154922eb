using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>A connection carries a request only after it was quiet for a while.</summary>
public sealed class GuardedStreamTests : IDisposable
{
    private static readonly byte[] s_request = "POST /v1/chat/completions HTTP/1.1\r\n\r\n"u8.ToArray();
    private static readonly byte[] s_answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray();

    private readonly ManualTimeProvider _time = new();
    private readonly DuplexStream _connection = new();
    private readonly ConnectionGuard _guard;
    private readonly GuardedStream _stream;

    public GuardedStreamTests()
    {
        _guard = new ConnectionGuard(NullLogger.Instance, _time);
        _stream = new GuardedStream(_connection, _guard);
    }

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _stream.Dispose();
        _connection.Dispose();
    }

    [Fact]
    public async Task BytesBeforeFirstRequest_CloseConnection()
    {
        await _connection.FeedAsync(s_answer, Ended);

        Task writes = WriteAsync(s_request);
        _time.Advance(TimeSpan.FromMilliseconds(2));

        NotSentException failure = await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.False(failure.IsFree);
        Assert.True(_guard.IsBroken);
        Assert.Empty(_connection.Written);
    }

    [Fact]
    public async Task BytesAfterResponse_CloseConnectionBeforeNextRequest()
    {
        await CarryAsync();
        Task<int> ahead = _stream.ReadAsync(new byte[100], Ended).AsTask();
        Task writes = WriteAsync(s_request);

        _time.Advance(TimeSpan.FromMilliseconds(24));
        Assert.False(writes.IsCompleted);
        await _connection.FeedAsync(s_answer, Ended);
        await ahead;
        _time.Advance(TimeSpan.FromMilliseconds(1));

        NotSentException failure = await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(failure.IsFree);
        Assert.True(_guard.IsBroken);
        Assert.Equal(s_request, _connection.Written);
    }

    [Fact]
    public async Task BytesAfterResponse_WithoutReadAhead_CloseConnection()
    {
        await CarryAsync();
        Task writes = WriteAsync(s_request);
        await _connection.FeedAsync(s_answer, Ended);
        _time.Advance(TimeSpan.FromMilliseconds(100));

        await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(_guard.IsBroken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task BytesThatNoReadHasReturnedYet_CloseConnection(bool isSecure)
    {
        using var sockets = new SlowReads();
        await using var stream = new GuardedStream(isSecure ? new Wrapped(sockets) : sockets, _guard);
        Task writes = stream.WriteAsync(s_request, Ended).AsTask();
        sockets.Receive(s_answer);

        _time.Advance(TimeSpan.FromMilliseconds(2));
        await Task.WhenAny(writes, _time.WaitForTimersAsync(1, Ended));
        Assert.False(writes.IsCompleted);

        sockets.CompleteReads();
        await AdvanceUntilAsync(writes);
        await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(_guard.IsBroken);
        Assert.Equal(0, sockets.Written);
    }

    [Fact]
    public async Task BytesThatNoReadHasReturnedYet_OnIdleConnection_CloseIt()
    {
        using var sockets = new SlowReads();
        await using var stream = new GuardedStream(sockets, _guard);
        Task writes = stream.WriteAsync(s_request, Ended).AsTask();
        await AdvanceUntilAsync(writes);
        await writes;
        Task<int> ahead = stream.ReadAsync(new byte[100], Ended).AsTask();
        sockets.Receive(s_answer);
        _time.Advance(TimeSpan.FromMilliseconds(100));

        writes = stream.WriteAsync(s_request, Ended).AsTask();
        Assert.False(writes.IsCompleted);

        sockets.CompleteReads();
        await ahead;
        await AdvanceUntilAsync(writes);
        await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(_guard.IsBroken);
        Assert.Equal(s_request.Length, sockets.Written);
    }

    [Fact]
    public async Task ConnectionClosedByServer_IsNotBroken()
    {
        await CarryAsync();
        Task<int> ahead = _stream.ReadAsync(new byte[100], Ended).AsTask();
        Task writes = WriteAsync(s_request);
        await _connection.EndAsync();
        await ahead;
        _time.Advance(TimeSpan.FromMilliseconds(100));

        NotSentException failure = await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(failure.IsFree);
        Assert.False(_guard.IsBroken);
    }

    [Fact]
    public async Task QuietConnection_IsUsedAtOnce()
    {
        await CarryAsync();
        Task<int> ahead = _stream.ReadAsync(new byte[100], Ended).AsTask();
        _time.Advance(TimeSpan.FromMilliseconds(100));

        Assert.True(WriteAsync(s_request).IsCompletedSuccessfully);
        await _connection.FeedAsync(s_answer, Ended);
        Assert.Equal(s_answer.Length, await ahead);
    }

    [Fact]
    public async Task BodyAfterEarlyResponse_IsWrittenAtOnce()
    {
        Task writes = WriteAsync(s_request);
        _time.Advance(TimeSpan.FromMilliseconds(2));
        await writes;
        await _connection.FeedAsync(s_answer, Ended);
        await ReadAsync(s_answer.Length);

        Assert.True(WriteAsync("{\"model\":\"m\"}"u8.ToArray()).IsCompletedSuccessfully);
        Assert.False(_guard.IsBroken);
    }

    [Fact]
    public async Task ManyRequests_AreWritten()
    {
        for (var i = 0; i < 100; i++)
        {
            await CarryAsync();
        }

        Assert.False(_guard.IsBroken);
        Assert.Equal(100 * s_request.Length, _connection.Written.Length);
    }

    // One request and its answer.
    private async Task CarryAsync()
    {
        Task writes = WriteAsync(s_request);
        await AdvanceUntilAsync(writes);
        await writes;
        await _connection.FeedAsync(s_answer, Ended);
        await ReadAsync(s_answer.Length);
    }

    private async Task AdvanceUntilAsync(Task writes)
    {
        while (!writes.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(writes, _time.WaitForTimersAsync(1, Ended));
        }
    }

    private Task WriteAsync(byte[] bytes) => _stream.WriteAsync(bytes, Ended).AsTask();

    private async Task ReadAsync(int count)
    {
        byte[] buffer = new byte[100];
        while (count > 0)
        {
            count -= await _stream.ReadAsync(buffer, Ended);
        }
    }

    /// <summary>A connection whose reads return nothing until told to, as on a busy machine.</summary>
    private sealed class SlowReads : NetworkStream
    {
        private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Socket _server;

        public SlowReads()
            : this(Connect())
        {
        }

        private SlowReads((Socket Client, Socket Server) ends)
            : base(ends.Client, ownsSocket: true) => _server = ends.Server;

        /// <summary>Gets how many bytes the server has.</summary>
        public int Written => _server.Available;

        /// <summary>Brings bytes from the server into the buffer of the socket.</summary>
        public void Receive(byte[] bytes)
        {
            _server.Send(bytes);
            Assert.True(Socket.Poll(TimeSpan.FromSeconds(30), SelectMode.SelectRead));
        }

        public void CompleteReads() => _told.TrySetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _told.Task.WaitAsync(cancellationToken);
            return await base.ReadAsync(buffer, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            _told.TrySetCanceled();
            _server.Dispose();
            base.Dispose(disposing);
        }

        private static (Socket Client, Socket Server) Connect()
        {
            using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            client.Connect(listener.LocalEndPoint!);
            return (client, listener.Accept());
        }
    }

    /// <summary>A TLS stream that encrypts nothing.</summary>
    private sealed class Wrapped(Stream inner) : SslStream(inner)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            InnerStream.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            InnerStream.WriteAsync(buffer, cancellationToken);
    }
}
