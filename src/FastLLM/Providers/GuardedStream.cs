using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;

namespace FastLLM.Providers;

/// <summary>Represents a connection that carries one request at a time, and none after bytes have arrived that belong to no
/// request.</summary>
/// <remarks>The handler reads ahead before it reuses a connection, and so notices bytes that have arrived by then. The guard adds the time
/// for them to arrive (<see cref="ConnectionGuard"/>), and a read if the handler has none pending. On a busy machine, a timer can fire long
/// before a read returns what has arrived; so the guard asks the socket too. While a connection carries a request, reads and writes are
/// passed on.</remarks>
internal sealed class GuardedStream(Stream inner, ConnectionGuard guard) : Stream
{
    // Set while the handler chooses a connection: a read at that time reads ahead.
    [ThreadStatic]
    private static bool t_choosesConnection;

    // Timers count whole milliseconds.
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);

    private readonly Socket? _socket = SocketOf(inner);
    private readonly byte[] _early = new byte[1];
    private Task<int>? _earlyRead;
    private int _requests;
    private long _written;
    private long _read;
    private int _lastCount;
    private volatile bool _isReading;
    private bool _readsAhead;
    private volatile bool _isReused;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Sends a request with the handler.</summary>
    public static Task<HttpResponseMessage> SendAsync(in Send send, HttpRequestMessage message)
    {
        t_choosesConnection = true;
        try
        {
            return send.Invoker is HttpClient client
                ? client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, send.CancellationToken)
                : send.Invoker.SendAsync(message, send.CancellationToken);
        }
        finally
        {
            t_choosesConnection = false;
        }
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return inner.ReadAsync(buffer, cancellationToken);
        }

        if (_earlyRead is not null)
        {
            return ReadEarlyAsync(buffer);
        }

        _readsAhead = t_choosesConnection;
        ValueTask<int> reading = inner.ReadAsync(buffer, cancellationToken);
        return reading.IsCompletedSuccessfully ? new ValueTask<int>(HasRead(reading.Result)) : FinishReadAsync(reading);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!BeginsRequest(buffer.Span))
        {
            return inner.WriteAsync(buffer, cancellationToken);
        }

        TimeSpan rest = guard.RestBefore(_requests++, guard.Clock.GetElapsedTime(_written, _read));
        _written = guard.Clock.GetTimestamp();
        if (_requests > 1)
        {
            rest -= guard.Clock.GetElapsedTime(_read, _written);
        }

        // A read that the handler has just begun has looked at the socket. One that was pending while the connection was idle has not.
        if (_isReading && rest < s_shortest && (_readsAhead || !HasUnreadBytes()))
        {
            _readsAhead = false;
            _isReused = _requests > 1;
            return inner.WriteAsync(buffer, cancellationToken);
        }

        return WriteRestedAsync(buffer, rest, cancellationToken);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // The handler is only ever used asynchronously.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();

            // It fails now, and its exception must be observed.
            _earlyRead?.ContinueWith(
                static read => _ = read.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }

        base.Dispose(disposing);
    }

    // A request begins with its method. No later part of it does, wherever it is cut.
    private static bool BeginsRequest(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith("POST "u8) || bytes.StartsWith("GET "u8) || bytes.StartsWith("PUT "u8) || bytes.StartsWith("DELETE "u8)
        || bytes.StartsWith("HEAD "u8) || bytes.StartsWith("PATCH "u8) || bytes.StartsWith("OPTIONS "u8);

    // A TLS connection wraps the stream of its socket. In a tunnel through a proxy, the socket is not known.
    private static Socket? SocketOf(Stream stream) => (stream is SslStream secure ? InnerStreamOf(secure) : stream) is NetworkStream network
        ? network.Socket
        : null;

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_InnerStream")]
    private static extern Stream InnerStreamOf(AuthenticatedStream stream);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> FinishReadAsync(ValueTask<int> reading)
    {
        _isReading = true;
        var count = 0;
        var isOver = false; // not if the handler has given up
        try
        {
            count = await reading.ConfigureAwait(false);
            isOver = true;
            return count;
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            isOver = true;
            throw;
        }
        finally
        {
            _isReused &= isOver;
            HasRead(count);
        }
    }

    private async ValueTask<int> ReadEarlyAsync(Memory<byte> buffer)
    {
        int count = await _earlyRead!.ConfigureAwait(false);
        _earlyRead = null;
        _early.AsMemory(0, count).CopyTo(buffer);
        return HasRead(count);
    }

    private int HasRead(int count)
    {
        if (_isReused)
        {
            _isReused = false;
            guard.Reused(isAnswered: count > 0);
        }

        _read = guard.Clock.GetTimestamp();
        _lastCount = count;
        _isReading = false;
        return count;
    }

    private async ValueTask WriteRestedAsync(ReadOnlyMemory<byte> buffer, TimeSpan rest, CancellationToken cancellationToken)
    {
        // The handler's read ahead may have completed since it looked.
        if (!_isReading && !_readsAhead)
        {
            _earlyRead = FinishReadAsync(inner.ReadAsync(_early, CancellationToken.None)).AsTask();
        }

        if (_isReading && (rest >= s_shortest || HasUnreadBytes()))
        {
            // The pending read returns what the socket has: bytes, the end, or (TLS) a message that is not for the handler.
            do
            {
                await Task.Delay(rest < s_shortest ? s_shortest : rest, guard.Clock, cancellationToken).ConfigureAwait(false);
                rest = s_shortest;
            }
            while (_isReading && HasUnreadBytes());

            // It may have taken the bytes from the socket already. What is queued by now runs first.
            await Task.Yield();
        }

        if (!_isReading)
        {
            GiveUp();
        }

        _readsAhead = false;
        _isReused = _requests > 1;
        _written = guard.Clock.GetTimestamp();
        await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
    }

    // Also true at the end of the connection.
    private bool HasUnreadBytes() => _socket is not null && _socket.Poll(0, SelectMode.SelectRead);

    private void GiveUp()
    {
        bool isReused = _requests > 1;
        if (_lastCount > 0)
        {
            guard.Break();
            throw new NotSentException("The server sent a response that was not requested; the connection was closed.", isFree: isReused);
        }

        // A server that closes new connections at once has failed.
        throw new NotSentException("The server closed the connection before the request was written.", isFree: isReused);
    }
}
