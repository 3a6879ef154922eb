using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;

namespace FastLLM.Providers;

/// <summary>Represents a connection that carries one request at a time, and none after bytes have arrived that belong to no
/// request.</summary>
/// <remarks>The handler reads ahead before it reuses a connection, and so notices bytes that have arrived by then. The guard adds the time
/// for them to arrive (<see cref="ConnectionGuard"/>), and a read if the handler has none pending. While a connection carries a request,
/// reads and writes are passed on.</remarks>
internal sealed class GuardedStream(Stream inner, ConnectionGuard guard) : Stream
{
    // Set while the handler chooses a connection: a read at that time reads ahead.
    [ThreadStatic]
    private static bool t_choosesConnection;

    // Timers count whole milliseconds.
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);

    private readonly byte[] _early = new byte[1];
    private Task<int>? _earlyRead;
    private int _requests;
    private long _written;
    private long _read;
    private int _lastCount;
    private volatile bool _isReading;
    private bool _readsAhead;

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
        if (reading.IsCompletedSuccessfully)
        {
            return new ValueTask<int>(HasRead(reading.Result));
        }

        _isReading = true;
        return FinishReadAsync(reading);
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

        if (_isReading && rest < s_shortest)
        {
            _readsAhead = false;
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> FinishReadAsync(ValueTask<int> reading)
    {
        var count = 0;
        try
        {
            count = await reading.ConfigureAwait(false);
            return count;
        }
        finally
        {
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
            _earlyRead = inner.ReadAsync(_early, CancellationToken.None).AsTask();
            _isReading = true;
        }

        if (_isReading && rest >= s_shortest)
        {
            await Task.Delay(rest, guard.Clock, cancellationToken).ConfigureAwait(false);
        }

        if (_earlyRead is { IsCompleted: true })
        {
            HasRead(_earlyRead.IsCompletedSuccessfully ? await _earlyRead.ConfigureAwait(false) : 0);
        }

        if (!_isReading)
        {
            GiveUp();
        }

        _readsAhead = false;
        _written = guard.Clock.GetTimestamp();
        await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
    }

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
