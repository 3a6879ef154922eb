using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Opens an input stream: detects gzip by its first bytes and decompresses it.</summary>
internal static class InputStream
{
    private const int SeenBytes = 16 * 1024;

    /// <summary>Decompresses a gzip stream, and reads the first bytes of the result.</summary>
    /// <returns>The stream from its beginning, and its first bytes: at least those that tell what it is.</returns>
    public static async ValueTask<(Stream Stream, ReadOnlyMemory<byte> Begin)> OpenAsync(Stream stream, CancellationToken cancellationToken)
    {
        bool isFile = stream.CanSeek;
        (Stream source, ReadOnlyMemory<byte> begin) = await PeekAsync(stream, isFile, cancellationToken).ConfigureAwait(false);
        return IsPacked(begin.Span)
            ? await PeekAsync(new GzipMembers(source), isFile, cancellationToken).ConfigureAwait(false)
            : (source, begin);
    }

    private static async ValueTask<(Stream Stream, ReadOnlyMemory<byte> Begin)> PeekAsync(Stream stream, bool isFile,
        CancellationToken cancellationToken)
    {
        byte[] begin = new byte[SeenBytes];
        long from = stream.CanSeek ? stream.Position : 0;
        int seen = 0, read;
        do
        {
            read = await stream.ReadAsync(begin.AsMemory(seen), cancellationToken).ConfigureAwait(false);
            seen += read;
        }
        while (read > 0 && seen < begin.Length && (isFile || !TellsKind(begin.AsSpan(0, seen))));

        if (stream.CanSeek)
        {
            stream.Position = from;
            return (stream, begin.AsMemory(0, seen));
        }

        ReadOnlyMemory<byte> known = begin.AsMemory(0, seen);
        return (new BegunStream(known, stream), known);
    }

    // A pipe delivers what its writer has written so far, such as a BOM alone. JSON is known by its first character, a table by its first
    // line. No row is complete before, so that none is delayed; more is not awaited, because a user may be typing.
    private static bool TellsKind(ReadOnlySpan<byte> begin)
    {
        if (begin is [0x1F] || ByteOrderMark.MayFollow(begin))
        {
            return false;
        }

        ReadOnlySpan<byte> text = begin[ByteOrderMark.LengthIn(begin)..].TrimStart(" \t\r\n"u8);
        return IsPacked(begin) || text is [(byte)'{' or (byte)'[', ..] || text.Contains((byte)'\n');
    }

    private static bool IsPacked(ReadOnlySpan<byte> begin) => begin is [0x1F, 0x8B, ..];

    /// <summary>Represents a stream whose first bytes have already been read.</summary>
    private sealed class BegunStream(ReadOnlyMemory<byte> begin, Stream rest) : ReadOnlyStream(rest)
    {
        private ReadOnlyMemory<byte> _begin = begin;

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer) => _begin.IsEmpty ? Inner.Read(buffer) : FromBegin(buffer);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _begin.IsEmpty ? Inner.ReadAsync(buffer, cancellationToken) : new ValueTask<int>(FromBegin(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        private int FromBegin(Span<byte> buffer)
        {
            int length = Math.Min(buffer.Length, _begin.Length);
            _begin.Span[..length].CopyTo(buffer);
            _begin = _begin[length..];
            return length;
        }
    }
}
