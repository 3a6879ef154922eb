using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace FastLLM.TestKit;

/// <summary>The server's side of a connection: what a <see cref="FaultStep"/> does its damage with.</summary>
/// <remarks>A step that leaves the connection open keeps it alive for the next request.</remarks>
public sealed class FaultConnection
{
    private readonly Socket _socket;
    private readonly byte[] _read = new byte[16 * 1024];
    private int _at;
    private int _end;

    internal FaultConnection(Socket socket, int number, CancellationToken closing)
    {
        _socket = socket;
        Number = number;
        Closing = closing;
    }

    /// <summary>Which connection of the server this is, from 1.</summary>
    public int Number { get; }

    /// <summary>Fires when the server is disposed.</summary>
    public CancellationToken Closing { get; }

    internal bool IsOpen { get; private set; } = true;

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, Closing)..];
        }
    }

    /// <summary>Sends text as Latin-1.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends a status line and exactly these headers.</summary>
    public Task HeadAsync(int status, params (string Name, string Value)[] headers) => SendAsync(Head(status, headers));

    /// <summary>Sends a whole response with the right length.</summary>
    public Task RespondAsync(int status, ReadOnlyMemory<byte> body, params (string Name, string Value)[] headers) =>
        RespondWithLengthAsync(status, body, body.Length, headers);

    /// <summary>Sends a response that says another length than it has.</summary>
    public async Task RespondWithLengthAsync(int status, ReadOnlyMemory<byte> body, long length, params (string Name, string Value)[] headers)
    {
        byte[] head = Encoding.Latin1.GetBytes(Head(status, WithType([.. headers, ("Content-Length", length.ToString(CultureInfo.InvariantCulture))])));
        await SendAsync((byte[])[.. head, .. body.Span]); // in one piece: no client sees half of it by chance
    }

    /// <summary>Sends a response without a length, and closes.</summary>
    public async Task RespondCloseDelimitedAsync(int status, ReadOnlyMemory<byte> body, params (string Name, string Value)[] headers)
    {
        await HeadAsync(status, WithType([.. headers, ("Connection", "close")]));
        await SendAsync(body);
        Close();
    }

    /// <summary>Sends the head of a chunked response.</summary>
    public Task ChunkedHeadAsync(int status, params (string Name, string Value)[] headers) =>
        HeadAsync(status, WithType([.. headers, ("Transfer-Encoding", "chunked")]));

    /// <summary>Sends one chunk; an empty one ends the body.</summary>
    public async Task ChunkAsync(ReadOnlyMemory<byte> chunk)
    {
        await SendAsync(chunk.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n");
        await SendAsync(chunk);
        await SendAsync("\r\n");
    }

    /// <summary>Sends bytes one by one, each after <paramref name="next"/> has completed: the test, not the clock, says when.</summary>
    public async Task DripAsync(ReadOnlyMemory<byte> bytes, Func<CancellationToken, Task> next)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            await next(Closing);
            await SendAsync(bytes.Slice(i, 1));
        }
    }

    /// <summary>Does nothing until the test completes <paramref name="release"/> (never, where left out) or the server is disposed.</summary>
    public Task StallAsync(Task? release = null) =>
        (release ?? Task.Delay(Timeout.InfiniteTimeSpan, Closing)).WaitAsync(Closing);

    /// <summary>Waits until the client closes or resets its side.</summary>
    public async Task WaitForClientToLeaveAsync()
    {
        try
        {
            while (await FillAsync())
            {
                _at = _end;
            }
        }
        catch (SocketException)
        {
            // A reset is leaving too.
        }
    }

    /// <summary>Closes with a reset (RST) instead of an end (FIN).</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(enable: true, seconds: 0);
        Close();
    }

    /// <summary>Ends the server's direction only (FIN); the client's stays open.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Closes in both directions.</summary>
    public void Close()
    {
        IsOpen = false;
        _socket.Dispose();
    }

    /// <returns>Null when the client has closed between two requests.</returns>
    internal async Task<FaultRequest?> ReadAsync(Func<int> number)
    {
        var head = new List<byte>();
        while (!EndsHead(head))
        {
            if (_at == _end && !await FillAsync())
            {
                return null;
            }

            head.Add(_read[_at++]);
        }

        string[] lines = Encoding.Latin1.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] first = lines[0].Split(' ');
        List<KeyValuePair<string, string>> headers = [.. lines.Skip(1).Select(line => line.Split(':', 2)).Select(p => KeyValuePair.Create(p[0], p[1].Trim()))];
        var request = new FaultRequest(0, Number, first[0], first[1], head.ToArray(), headers, default);

        if (request.Header("Expect") is not null)
        {
            await SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
        }

        byte[]? body = request.Header("Transfer-Encoding") is not null ? await ReadChunksAsync()
            : await ReadExactAsync(int.Parse(request.Header("Content-Length") ?? "0", CultureInfo.InvariantCulture));
        return body is null ? null : request with { Number = number(), Body = body };
    }

    private static bool EndsHead(List<byte> head) =>
        head.Count >= 4 && head[^1] == '\n' && head[^2] == '\r' && head[^3] == '\n' && head[^4] == '\r';

    private async Task<byte[]?> ReadChunksAsync()
    {
        var body = new List<byte>();
        while (true)
        {
            if (await ReadLineAsync() is not { } size)
            {
                return null;
            }

            byte[]? chunk = await ReadExactAsync(int.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            if (chunk is null || await ReadLineAsync() is null)
            {
                return null;
            }

            if (chunk.Length == 0)
            {
                return [.. body];
            }

            body.AddRange(chunk);
        }
    }

    private async Task<string?> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (await ReadExactAsync(1) is [var b])
        {
            if (b == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append((char)b);
        }

        return null;
    }

    private async Task<byte[]?> ReadExactAsync(int count)
    {
        var bytes = new byte[count];
        for (int got = 0; got < count;)
        {
            if (_at == _end && !await FillAsync())
            {
                return null;
            }

            int part = Math.Min(count - got, _end - _at);
            _read.AsSpan(_at, part).CopyTo(bytes.AsSpan(got));
            got += part;
            _at += part;
        }

        return bytes;
    }

    private async Task<bool> FillAsync()
    {
        _at = 0;
        _end = await _socket.ReceiveAsync(_read.AsMemory(), SocketFlags.None, Closing);
        return _end > 0;
    }

    private static (string Name, string Value)[] WithType((string Name, string Value)[] headers) =>
        headers.Any(h => string.Equals(h.Name, "Content-Type", StringComparison.OrdinalIgnoreCase)) ? headers : [("Content-Type", "application/json"), .. headers];

    private static string Head(int status, (string Name, string Value)[] headers)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} Status\r\n");
        foreach ((string name, string value) in headers)
        {
            text.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        return text.Append("\r\n").ToString();
    }
}
