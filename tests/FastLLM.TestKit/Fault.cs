using System.IO.Compression;
using System.Text;

namespace FastLLM.TestKit;

/// <summary>Where a stalled answer stops.</summary>
public enum FaultStage
{
    BeforeHeaders,
    InHeaders,
    AfterHeaders,
    InBody,
}

/// <summary>Ready-made steps for <see cref="FaultServer"/>.</summary>
public static class Fault
{
    /// <summary>A whole, honest response.</summary>
    public static FaultStep Respond(int status, ReadOnlyMemory<byte> body, params (string Name, string Value)[] headers) =>
        (_, connection) => connection.RespondAsync(status, body, headers);

    /// <summary>A whole, honest response.</summary>
    public static FaultStep Respond(int status, string body, params (string Name, string Value)[] headers) =>
        Respond(status, Encoding.UTF8.GetBytes(body), headers);

    /// <summary>A body that ends where the connection does.</summary>
    public static FaultStep CloseDelimited(int status, ReadOnlyMemory<byte> body) =>
        (_, connection) => connection.RespondCloseDelimitedAsync(status, body);

    /// <summary>A chunked body; with <paramref name="cut"/> the connection ends without the last chunk.</summary>
    public static FaultStep Chunked(int status, IEnumerable<ReadOnlyMemory<byte>> chunks, bool cut = false) => async (_, connection) =>
    {
        await connection.ChunkedHeadAsync(status);
        foreach (ReadOnlyMemory<byte> chunk in chunks)
        {
            await connection.ChunkAsync(chunk);
        }

        if (cut)
        {
            connection.Close();
        }
        else
        {
            await connection.ChunkAsync(default);
        }
    };

    /// <summary>A Content-Length that is wrong. Too long: the connection closes early. Too short: what is left over stays in the way of the next response.</summary>
    public static FaultStep WrongLength(int status, ReadOnlyMemory<byte> body, long length) => async (_, connection) =>
    {
        await connection.RespondWithLengthAsync(status, body, length);
        if (length > body.Length)
        {
            connection.Close();
        }
    };

    /// <summary>The request is read, then the connection reset.</summary>
    public static FaultStep ResetBeforeResponse() => (_, connection) =>
    {
        connection.Reset();
        return Task.CompletedTask;
    };

    /// <summary>The request is read, then the connection closed: what a client with an idle pooled connection meets.</summary>
    public static FaultStep CloseBeforeResponse() => (_, connection) =>
    {
        connection.Close();
        return Task.CompletedTask;
    };

    /// <summary>Half of the body, then a reset.</summary>
    public static FaultStep ResetMidBody(int status, ReadOnlyMemory<byte> body) => async (_, connection) =>
    {
        await connection.RespondWithLengthAsync(status, body[..(body.Length / 2)], body.Length);
        connection.Reset();
    };

    /// <summary>Headers without a length, then the end of the server's direction only.</summary>
    public static FaultStep HalfCloseAfterHeaders(int status) => async (_, connection) =>
    {
        await connection.HeadAsync(status, ("Content-Type", "application/json"));
        connection.HalfClose();
        await connection.WaitForClientToLeaveAsync();
        connection.Close();
    };

    /// <summary>Response headers that come byte by byte and never end; each byte waits for <paramref name="next"/>.</summary>
    public static FaultStep DripHeaders(Func<CancellationToken, Task> next) => async (_, connection) =>
    {
        await connection.DripAsync(Encoding.Latin1.GetBytes("HTTP/1.1 200 OK\r\n"), next);
        while (true)
        {
            await connection.DripAsync(Encoding.Latin1.GetBytes("x: y\r\n"), next);
        }
    };

    /// <summary>An honest response that stops at a stage until the test completes <paramref name="release"/> (never, where left out).</summary>
    public static FaultStep Stall(FaultStage stage, int status, ReadOnlyMemory<byte> body, Task? release = null) => async (_, connection) =>
    {
        byte[] head = Encoding.Latin1.GetBytes($"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n");
        byte[] all = [.. head, .. body.Span];
        int before = stage switch
        {
            FaultStage.BeforeHeaders => 0,
            FaultStage.InHeaders => head.Length / 2,
            FaultStage.AfterHeaders => head.Length,
            _ => head.Length + (body.Length / 2),
        };
        await connection.SendAsync(all.AsMemory(0, before));
        await connection.StallAsync(release);
        await connection.SendAsync(all.AsMemory(before));
    };

    /// <summary>A redirect to another address.</summary>
    public static FaultStep Redirect(int status, Uri location) =>
        (_, connection) => connection.RespondAsync(status, default, ("Location", location.AbsoluteUri));

    /// <summary>A body sent with <c>Content-Encoding: gzip</c>; <paramref name="damage"/> may cut or change the compressed bytes.</summary>
    public static FaultStep Gzip(int status, ReadOnlyMemory<byte> body, Func<byte[], byte[]>? damage = null)
    {
        byte[] compressed = Compress(body);
        return Respond(status, damage?.Invoke(compressed) ?? compressed, ("Content-Encoding", "gzip"));
    }

    /// <summary>The gzip form of some bytes.</summary>
    public static byte[] Compress(ReadOnlyMemory<byte> bytes)
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(bytes.Span);
        }

        return memory.ToArray();
    }
}
