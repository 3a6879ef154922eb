using System.Buffers;
using FastLLM.Json;

namespace FastLLM.Json;

/// <summary>Splits a stream of bytes into lines at LF only: U+2028 and a lone CR are part of a line.</summary>
/// <remarks>
/// A BOM at the beginning and a CR before an LF are removed. The bytes are never decoded. A line of many MB is read into an array of
/// exactly its size, which the caller may keep: a file is first searched for the end of the line, a pipe needs the size twice.
/// </remarks>
internal sealed class LineReader(Stream stream) : IDisposable
{
    private const int FirstBytes = 64 * 1024;
    private const int LargeBytes = 1 << 20;
    private const long MaxPipedBytes = 512L << 20;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int _start;
    private int _end;
    private bool _ended;
    private bool _begun;

    /// <summary>Gets the number of the last line, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Gets a value indicating whether the last line stays valid after the next call.</summary>
    public bool IsKept { get; private set; }

    /// <summary>Reads the next line, also a blank one. Unless <see cref="IsKept"/> is true, the bytes are valid until the next
    /// call.</summary>
    /// <returns>The line without its end, or <see langword="null"/> after the last one.</returns>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        IsKept = false;
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
                // Without the cast, null would become empty bytes, and the end of the file an endless series of blank lines.
                return scanned == 0 ? (ReadOnlyMemory<byte>?)null : Take(scanned, 0);
            }

            if (scanned >= LargeBytes)
            {
                IsKept = true;
                return Trim(stream.CanSeek
                    ? await ReadLargeFromFileAsync(cancellationToken).ConfigureAwait(false)
                    : await ReadLargeFromPipeAsync(cancellationToken).ConfigureAwait(false));
            }

            await FillAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gets a value indicating whether every line is valid only until the next call, so that one array serves all large
    /// lines.</summary>
    public bool ReusesLines { get; init; }

    /// <summary>Gets or sets an array that the next large line may use: a file that is read again does not allocate it twice.</summary>
    public byte[]? Spare { get; set; }

    /// <summary>Gets the line that was read last as bytes that its user may keep: a copy, unless it <see cref="IsKept"/>.</summary>
    public ReadOnlyMemory<byte> Keep(ReadOnlyMemory<byte> line) => IsKept || ReusesLines ? line : ChunkedAllocator.Requests.Copy(line.Span);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    private ReadOnlyMemory<byte> Take(int length, int separator)
    {
        ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, length);
        _start += length + separator;
        return Trim(line);
    }

    private ReadOnlyMemory<byte> Trim(ReadOnlyMemory<byte> line)
    {
        Line++;
        if (!_begun)
        {
            _begun = true;
            line = line[ByteOrderMark.LengthIn(line.Span)..];
        }

        return line.Span is [.., (byte)'\r'] ? line[..^1] : line;
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
            _buffer = PooledBuffer.Grow(_buffer);
        }

        int read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
        _end += read;
        _ended = read == 0;
    }

    // Searches the file for the end of the line, goes back, and reads the line into an array of exactly its size.
    private async ValueTask<ReadOnlyMemory<byte>> ReadLargeFromFileAsync(CancellationToken cancellationToken)
    {
        long from = stream.Position;
        byte[] begin = _buffer.AsSpan(_start, _end - _start).ToArray();
        _start = _end = 0;
        long rest = 0;
        int at = -1;
        int read;
        while (at < 0 && (read = await stream.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            at = _buffer.AsSpan(0, read).IndexOf((byte)'\n');
            rest += at < 0 ? read : at;
        }

        Memory<byte> line = Large(checked(begin.Length + (int)rest));
        begin.CopyTo(line);
        stream.Position = from;
        await stream.ReadExactlyAsync(line[begin.Length..], cancellationToken).ConfigureAwait(false);
        stream.Position += at < 0 ? 0 : 1;
        return line;
    }

    private Memory<byte> Large(int length)
    {
        bool fits = Spare is not null && Spare.Length >= length && Spare.Length / 2 <= length;
        byte[] line = fits ? Spare! : GC.AllocateUninitializedArray<byte>(length);
        Spare = ReusesLines ? line : null;
        return line.AsMemory(0, length);
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadLargeFromPipeAsync(CancellationToken cancellationToken)
    {
        List<byte[]> parts = [_buffer.AsSpan(_start, _end - _start).ToArray()];
        _start = _end = 0;
        int at = -1;
        long length = parts[0].Length;
        while (at < 0 && !_ended)
        {
            await FillAsync(cancellationToken).ConfigureAwait(false);
            at = _buffer.AsSpan(0, _end).IndexOf((byte)'\n');
            parts.Add(_buffer.AsSpan(0, at < 0 ? _end : at).ToArray());
            length += parts[^1].Length;
            if (length > MaxPipedBytes)
            {
                // A few KB of gzip can be an endless line.
                throw new InvalidDataException(FormattableString.Invariant($"Line {Line + 1} is longer than {MaxPipedBytes >> 20} MB."));
            }

            _start = at < 0 ? 0 : at + 1;
            _end = at < 0 ? 0 : _end;
        }

        byte[] line = GC.AllocateUninitializedArray<byte>((int)length);
        var filled = 0;
        foreach (byte[] part in parts)
        {
            part.CopyTo(line, filled);
            filled += part.Length;
        }

        return line;
    }
}
