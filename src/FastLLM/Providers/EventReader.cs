using System.Buffers;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Reads server-sent events from the bytes of a response, which may arrive in pieces of any size.</summary>
/// <remarks>
/// Bytes are read into <see cref="Free"/>, <see cref="Take"/> gets their number, and <see cref="TryRead"/> returns the complete events.
/// Lines end with LF, CRLF or CR. Data of several lines is joined in place, so that an event allocates nothing.
/// </remarks>
internal sealed class EventReader : IDisposable
{
    /// <summary>The maximum bytes of a line, and of the data of an event.</summary>
    public const int MaxBytes = 8 << 20;

    private const int FirstBytes = 8 * 1024;

    // Many fields because they are the state of one machine, which can stop after any byte.
    private byte[] _buffer;
    private int _end;
    private int _line;
    private int _scanned;
    private int _data;
    private int _dataEnd;
    private bool _hasData;
    private bool _isError;
    private bool _skipsLineFeed;
    private bool _hasBegun;
    private bool _hasEnded;

    public EventReader(int firstBytes = FirstBytes) => _buffer = ArrayPool<byte>.Shared.Rent(firstBytes);

    /// <summary>Gets how many bytes are taken up when there is room for the next ones.</summary>
    public long Capacity => _end == _buffer.Length && _line == 0 ? _buffer.Length * 3L : _buffer.Length;

    /// <summary>Gets how many fields with content were read. Comments, blank lines and blank data do not count.</summary>
    public int Fields { get; private set; }

    /// <summary>Gets whether the last bytes belong to a field that has not ended.</summary>
    public bool IsInsideField => _line < _end && _buffer[_line] != ':' && _buffer.AsSpan(_line, _end - _line).ContainsAnyExcept(Blanks);

    private static ReadOnlySpan<byte> Blanks => " \t\r\n"u8;

    /// <summary>Gets whether a line, or the data of an event, is too long. Then nothing more can be read.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Gets whether the response ended in the last event's line, so that the event may be incomplete.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Gets the bytes that were not yet returned as events.</summary>
    public ReadOnlySpan<byte> Unread => _buffer.AsSpan(_line, _end - _line);

    /// <summary>Gets the memory for the next bytes. Events that were returned before become invalid.</summary>
    public Memory<byte> Free()
    {
        int kept = _hasData ? _data : _line;
        if (kept > 0)
        {
            _buffer.AsSpan(kept, _end - kept).CopyTo(_buffer);
            _end -= kept;
            _line -= kept;
            _scanned -= kept;
            _data -= kept;
            _dataEnd -= kept;
        }

        if (_end == _buffer.Length)
        {
            _buffer = PooledBuffer.Grow(_buffer);
        }

        return _buffer.AsMemory(_end);
    }

    /// <summary>Adds <paramref name="count"/> bytes that were written to <see cref="Free"/>; 0 is the end of the response.</summary>
    /// <returns>Whether any of them is not blank.</returns>
    public bool Take(int count)
    {
        _end += count;
        _hasEnded |= count == 0;
        return _buffer.AsSpan(_end - count, count).ContainsAnyExcept(Blanks);
    }

    /// <summary>Reads the next event.</summary>
    /// <param name="data">The data, valid until the next call.</param>
    /// <param name="isError">Whether the event is an error: by its event field, or by a field <c>error</c>, as in older llama.cpp
    /// servers.</param>
    /// <returns>Whether there is an event; if not, more bytes are needed.</returns>
    public bool TryRead(out ReadOnlySpan<byte> data, out bool isError)
    {
        while (!IsTooLong && TryReadLine(out int start, out int length))
        {
            if (length > 0)
            {
                ReadField(start, length);
            }
            else if (TryFinish(out data, out isError))
            {
                return true;
            }
        }

        if (_hasEnded && !IsTooLong)
        {
            // The last event is valid without an empty line after it.
            return TryFinish(out data, out isError);
        }

        data = default;
        isError = false;
        return false;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _end = _line = _scanned = 0;
    }

    private bool TryFinish(out ReadOnlySpan<byte> data, out bool isError)
    {
        bool found = _hasData;
        data = found ? _buffer.AsSpan(_data, _dataEnd - _data) : default;
        isError = _isError;
        _hasData = _isError = false;
        return found;
    }

    private bool TryReadLine(out int start, out int length)
    {
        start = length = 0;
        if (!SkipMark())
        {
            return false;
        }

        if (_skipsLineFeed && _line < _end)
        {
            // A CR has ended the line; an LF after it belongs to it, even if it arrives later.
            _skipsLineFeed = false;
            if (_buffer[_line] == '\n')
            {
                _line++;
            }
        }

        _scanned = Math.Max(_scanned, _line);
        int at = _buffer.AsSpan(_scanned, _end - _scanned).IndexOfAny((byte)'\n', (byte)'\r');
        IsTooLong |= (at < 0 ? _end : _scanned + at) - _line > MaxBytes;
        if (IsTooLong || (at < 0 && (!_hasEnded || _line == _end)))
        {
            _scanned = _end;
            return false;
        }

        IsCut = at < 0;
        start = _line;
        int end = at < 0 ? _end : _scanned + at;
        length = end - start;
        _skipsLineFeed = at >= 0 && _buffer[end] == '\r';
        _line = _scanned = at < 0 ? end : end + 1;
        return true;
    }

    // A byte order mark may precede the first line, and may arrive byte by byte.
    private bool SkipMark()
    {
        if (!_hasBegun)
        {
            ReadOnlySpan<byte> begin = _buffer.AsSpan(0, _end);
            if (ByteOrderMark.MayFollow(begin) && !_hasEnded)
            {
                return false;
            }

            _hasBegun = true;
            _line = ByteOrderMark.LengthIn(begin);
        }

        return true;
    }

    private void ReadField(int start, int length)
    {
        ReadOnlySpan<byte> line = _buffer.AsSpan(start, length);
        int colon = line.IndexOf((byte)':');
        ReadOnlySpan<byte> name = colon < 0 ? line : line[..colon];
        int value = colon < 0 ? length : colon + 1;
        if (value < length && line[value] == ' ')
        {
            value++;
        }

        Fields += (name.SequenceEqual("data"u8) || name.SequenceEqual("error"u8)) && line[value..].ContainsAnyExcept(Blanks) ? 1 : 0;
        if (name.SequenceEqual("data"u8))
        {
            Append(start + value, length - value);
        }
        else if (name.SequenceEqual("error"u8))
        {
            _isError = true;
            Append(start + value, length - value);
        }
        else if (name.SequenceEqual("event"u8))
        {
            _isError = line[value..].SequenceEqual("error"u8);
        }
    }

    private void Append(int start, int length)
    {
        if (!_hasData)
        {
            _hasData = true;
            _data = start;
            _dataEnd = start + length;
            return;
        }

        // The field name and the line end before a further line leave enough room.
        IsTooLong |= _dataEnd - _data + 1 + length > MaxBytes;
        _buffer[_dataEnd++] = (byte)'\n';
        _buffer.AsSpan(start, length).CopyTo(_buffer.AsSpan(_dataEnd));
        _dataEnd += length;
    }
}
