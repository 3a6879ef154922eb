using System.Buffers;

namespace FastLLM.Requests;

/// <summary>Cuts a stream of bytes into lines at LF, and only there: U+2028 and a lone CR are text like any other.</summary>
/// <remarks>A BOM at the beginning and a CR before an LF are taken off. The bytes are never decoded; a line of 50 MB costs about twice its size.</remarks>
internal sealed class LineReader(Stream stream) : IDisposable
{
    private const int FirstBytes = 64 * 1024;
    private const int LargeBytes = 1 << 20;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int _start;
    private int _end;
    private bool _ended;
    private bool _begun;

    /// <summary>Gets the number of the line that was read last, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Reads the next line, blank ones included; the bytes are good until the next call.</summary>
    /// <returns>The line without its end, or <see langword="null"/> after the last one.</returns>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        int scanned = 0;
        while (true)
        {
            int at = _buffer.AsSpan(_start + scanned, _end - _start - scanned).IndexOf((byte)'\n');
            if (at >= 0)
            {
                return Take(scanned + at, 1);
            }

            scanned = _end - _start;
            if (_ended)
            {
                // The cast matters: a bare null would become empty bytes here, and the end of the file a blank line without end.
                return scanned == 0 ? (ReadOnlyMemory<byte>?)null : Take(scanned, 0);
            }

            await FillAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Return();
        _buffer = [];
    }

    private ReadOnlyMemory<byte> Take(int length, int separator)
    {
        ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, length);
        _start += length + separator;
        Line++;
        if (!_begun)
        {
            _begun = true;
            line = line.Span.StartsWith("\uFEFF"u8) ? line["\uFEFF"u8.Length..] : line;
        }

        return line.Span is [.., (byte)'\r'] ? line[..^1] : line;
    }

    // A line is no longer than what is left of its file: a buffer that has to grow far grows no further than that.
    private void Grow()
    {
        long wanted = _buffer.Length * 2L;
        if (stream.CanSeek && wanted > LargeBytes)
        {
            wanted = Math.Min(wanted, _end + Math.Max(stream.Length - stream.Position, 0) + 1);
        }

        byte[] larger = wanted > LargeBytes ? GC.AllocateUninitializedArray<byte>(checked((int)wanted)) : ArrayPool<byte>.Shared.Rent((int)wanted);
        _buffer.AsSpan(0, _end).CopyTo(larger);
        Return();
        _buffer = larger;
    }

    // Large buffers are not pooled: the pool would keep them for good.
    private void Return()
    {
        if (_buffer.Length is > 0 and <= LargeBytes)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Grow();
        }

        int read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
        _end += read;
        _ended = read == 0;
    }
}
