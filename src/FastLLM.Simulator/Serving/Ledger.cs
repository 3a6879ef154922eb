using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Unicode;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Connections;

namespace FastLLM.Simulator.Serving;

/// <summary>Records requests and answers in their order: what a client must account for after a crash. Thread-safe.</summary>
/// <remarks>
/// A request is entered when its body has arrived whole, an answer when the connection has taken its last byte. An answer without an
/// entry was never received; one with an entry may still have been lost on its way, which errs on the strict side.
/// </remarks>
internal sealed class Ledger(TimeProvider time)
{
    public const string ContentType = "application/jsonl";

    private const int MaxLineBytes = 256;

    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private long _requests;
    private int _connections;
    private TaskCompletionSource? _alone;

    /// <returns>The request's number, for its answer.</returns>
    public long Request(ServedPath path, ReadOnlySpan<byte> body)
    {
        Digest digest = Digest.Of(body);
        lock (_gate)
        {
            _entries.Add(new Entry(++_requests, time.GetUtcNow().ToUnixTimeMilliseconds(), path, Status: 0, body.Length, digest));
            return _requests;
        }
    }

    public void Response(long request, int status, int length, Digest body)
    {
        lock (_gate)
        {
            _entries.Add(new Entry(request, time.GetUtcNow().ToUnixTimeMilliseconds(), ServedPath.Other, status, length, body));
        }
    }

    /// <summary>Counts a connection while it is open, until its last request has its entries.</summary>
    public async Task CountAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        lock (_gate)
        {
            _connections++;
        }

        try
        {
            await next(connection);
        }
        finally
        {
            lock (_gate)
            {
                if (--_connections == 1)
                {
                    _alone?.TrySetResult();
                    _alone = null;
                }
            }
        }
    }

    /// <summary>Completes when a single connection is open.</summary>
    public Task WaitForOthersAsync()
    {
        lock (_gate)
        {
            return _connections <= 1 ? Task.CompletedTask : (_alone ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Writes entries as JSON lines, as many as fit.</summary>
    /// <param name="from">The number of entries to skip; moved behind the last one written.</param>
    /// <param name="buffer">Where to write.</param>
    /// <returns>The number of bytes written; 0 where there is no further entry.</returns>
    public int Write(ref int from, Span<byte> buffer)
    {
        int written = 0;
        lock (_gate)
        {
            for (; from < _entries.Count && buffer.Length - written >= MaxLineBytes; from++)
            {
                written += CollectionsMarshal.AsSpan(_entries)[from].Write(buffer[written..]);
            }
        }

        return written;
    }

    /// <summary>256 bits of SHA-256, without an object of their own.</summary>
    internal readonly record struct Digest(UInt128 High, UInt128 Low)
    {
        public static Digest Of(ReadOnlySpan<byte> body)
        {
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(body, hash);
            return new Digest(
                BinaryPrimitives.ReadUInt128BigEndian(hash),
                BinaryPrimitives.ReadUInt128BigEndian(hash[16..]));
        }
    }

    private readonly record struct Entry(long Number, long At, ServedPath Path, int Status, int Length, Digest Body)
    {
        public int Write(Span<byte> line)
        {
            bool fits = Status == 0
                ? Utf8.TryWrite(line, $"{{\"request\":{Number},\"at\":{At},\"path\":\"{Name}\",", out int head)
                : Utf8.TryWrite(line, $"{{\"response\":{Number},\"at\":{At},\"status\":{Status},", out head);
            fits &= Utf8.TryWrite(
                line[head..], $"\"bytes\":{Length},\"sha256\":\"{Body.High:x32}{Body.Low:x32}\"}}\n", out int tail);
            return fits ? head + tail : throw new InvalidOperationException("A line of the ledger is longer than it can be.");
        }

        private string Name => Path switch
        {
            ServedPath.Embeddings => "/v1/embeddings",
            ServedPath.Responses => "/v1/responses",
            ServedPath.Completions => "/v1/completions",
            _ => "/v1/chat/completions",
        };
    }
}
