namespace FastLLM.Requests;

/// <summary>Opens an input stream: detects gzip by its first bytes and decompresses it.</summary>
internal static class InputStream
{
    private const int SeenBytes = 16 * 1024;

    /// <summary>Decompresses a gzip stream, and reads the first bytes of the result.</summary>
    /// <returns>The stream from its beginning, and its first bytes.</returns>
    public static async ValueTask<(Stream Stream, ReadOnlyMemory<byte> Begin)> OpenAsync(Stream stream, CancellationToken cancellationToken)
    {
        (Stream source, ReadOnlyMemory<byte> begin) = await PeekAsync(stream, 2, cancellationToken).ConfigureAwait(false);
        return begin.Span is [0x1F, 0x8B, ..]
            ? await PeekAsync(new GzipMembers(source), SeenBytes, cancellationToken).ConfigureAwait(false)
            : (source, begin);
    }

    private static async ValueTask<(Stream Stream, ReadOnlyMemory<byte> Begin)> PeekAsync(Stream stream, int least,
        CancellationToken cancellationToken)
    {
        byte[] begin = new byte[SeenBytes];
        if (stream.CanSeek)
        {
            long from = stream.Position;
            int seen = await stream.ReadAtLeastAsync(begin, begin.Length, throwOnEndOfStream: false, cancellationToken)
                .ConfigureAwait(false);
            stream.Position = from;
            return (stream, begin.AsMemory(0, seen));
        }

        // Two bytes identify gzip. No more are awaited, because a user may be typing into a pipe.
        int read = await stream.ReadAtLeastAsync(begin, least, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        ReadOnlyMemory<byte> known = begin.AsMemory(0, read);
        return (new BegunStream(known, stream), known);
    }

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
