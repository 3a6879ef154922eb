using System.Globalization;

namespace FastLLM.Requests;

/// <summary>Represents the compressed bytes of a gzip file. Bytes that a decompressor was given, but did not need, are read
/// again.</summary>
internal sealed class GzipSource(Stream inner) : ReadOnlyStream(inner)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;
    private int _given;
    private long _read;

    /// <summary>Gets the number of bytes that are ready.</summary>
    public int Available => _end - _start;

    private long Offset => _read - Available;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        if (Available == 0)
        {
            Added(Inner.Read(Emptied().Span));
        }

        return Give(buffer);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Available == 0)
        {
            Added(await Inner.ReadAsync(Emptied(), cancellationToken).ConfigureAwait(false));
        }

        return Give(buffer.Span);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Continues behind some bytes that occur in, or begin at the end of, what the last read returned.</summary>
    /// <returns>Whether they occur there.</returns>
    public async ValueTask<bool> SkipPastAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        (int seen, _given) = (_given + bytes.Length, 0);
        _start -= seen - bytes.Length;
        await NeedAsync(seen, cancellationToken).ConfigureAwait(false);
        int at = _buffer.AsSpan(_start, Math.Min(seen, Available)).IndexOf(bytes.Span);
        _start = at < 0 ? _end : _start + at + bytes.Length;
        return at >= 0;
    }

    /// <summary>Skips zeros.</summary>
    /// <returns>Whether something else follows.</returns>
    public async ValueTask<bool> SkipZerosAsync(CancellationToken cancellationToken)
    {
        while (await NeedAsync(1, cancellationToken).ConfigureAwait(false))
        {
            int at = _buffer.AsSpan(_start, Available).IndexOfAnyExcept((byte)0);
            _start = at < 0 ? _end : _start + at;
            if (at >= 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the header of a member.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public async ValueTask ReadHeaderAsync(CancellationToken cancellationToken)
    {
        const int Length = 10, Checksum = 2, Extra = 4, Name = 8, Comment = 16, Reserved = 0xE0;
        if (!await NeedAsync(2, cancellationToken).ConfigureAwait(false) || _buffer.AsSpan(_start) is not [0x1F, 0x8B, ..])
        {
            throw new InvalidDataException(
                $"Its compressed data ends at byte {Text(Offset)}, but something else follows. Copy or compress it again.");
        }

        await SkipAsync(Length, cancellationToken).ConfigureAwait(false);
        (int method, int flags) = (_buffer[_start - Length + 2], _buffer[_start - Length + 3]);
        if (method != 8 || (flags & Reserved) != 0)
        {
            throw Damaged();
        }

        if ((flags & Extra) != 0)
        {
            await SkipAsync(2, cancellationToken).ConfigureAwait(false);
            await SkipAsync(_buffer[_start - 2] | (_buffer[_start - 1] << 8), cancellationToken).ConfigureAwait(false);
        }

        for (int texts = ((flags & Name) != 0 ? 1 : 0) + ((flags & Comment) != 0 ? 1 : 0); texts > 0;)
        {
            await SkipAsync(1, cancellationToken).ConfigureAwait(false);
            texts -= _buffer[_start - 1] == 0 ? 1 : 0;
        }

        await SkipAsync((flags & Checksum) != 0 ? 2 : 0, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Creates the exception that reports damaged data up to here.</summary>
    public InvalidDataException Damaged(Exception? inner = null) => new(
        $"Its compressed data is damaged or incomplete near byte {Text(Offset)}. Copy or compress it again.", inner);

    private static string Text(long offset) => offset.ToString("N0", CultureInfo.InvariantCulture);

    private async ValueTask SkipAsync(int count, CancellationToken cancellationToken)
    {
        bool isThere = await NeedAsync(count, cancellationToken).ConfigureAwait(false);
        _start += Math.Min(count, Available);
        if (!isThere)
        {
            throw Damaged();
        }
    }

    // At most as many bytes as the buffer has.
    private async ValueTask<bool> NeedAsync(int count, CancellationToken cancellationToken)
    {
        while (Available < count)
        {
            _buffer.AsSpan(_start, Available).CopyTo(_buffer);
            (_start, _end) = (0, Available);
            int read = await Inner.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                return false;
            }

            Added(read);
        }

        return true;
    }

    private Memory<byte> Emptied()
    {
        (_start, _end) = (0, 0);
        return _buffer;
    }

    private void Added(int read)
    {
        _end += read;
        _read += read;
    }

    private int Give(Span<byte> buffer)
    {
        _given = Math.Min(Math.Min(buffer.Length, Available), _buffer.Length / 4);
        _buffer.AsSpan(_start, _given).CopyTo(buffer);
        _start += _given;
        return _given;
    }
}
