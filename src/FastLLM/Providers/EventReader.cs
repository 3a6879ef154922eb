using System.Buffers;

namespace FastLLM.Providers;

/// <summary>Cuts server-sent events out of the bytes of an answer, in whatever pieces these come.</summary>
/// <remarks>
/// Bytes are read into <see cref="Free"/>, <see cref="Take"/> says how many, and <see cref="TryRead"/> hands out the events that are whole.
/// Lines end with LF, CRLF or CR; a data of several lines is joined where it lies, so that an event costs no memory of its own.
/// </remarks>
internal sealed class EventReader : IDisposable
{
    /// <summary>The most bytes of a line, and of the data of an event.</summary>
    public const int MaxBytes = 8 << 20;

    private const int FirstBytes = 8 * 1024;

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

    /// <summary>Whether a line, or the data of an event, is longer than is taken. Nothing more can be read then.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Whether the last event's line was cut by the end of the answer, so that it may not be whole.</summary>
    public bool IsCut { get; private set; }

    /// <summary>All bytes that came and were not handed out as events.</summary>
    public ReadOnlySpan<byte> Unread => _buffer.AsSpan(_line, _end - _line);

    /// <summary>Where the next bytes are to be put. The events handed out before are gone.</summary>
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
            byte[] larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
            _buffer.CopyTo(larger, 0);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        return _buffer.AsMemory(_end);
    }

    /// <summary>Takes <paramref name="count"/> bytes that were put into <see cref="Free"/>; none is the end of the answer.</summary>
    public void Take(int count)
    {
        _end += count;
        _hasEnded |= count == 0;
    }

    /// <summary>Hands out the next event.</summary>
    /// <param name="data">Its data, good until the next call.</param>
    /// <param name="isError">Whether it is named an error: by its event field, or by a field <c>error</c> as older llama.cpp servers have it.</param>
    /// <returns>Whether there is one; if not, more bytes are needed.</returns>
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
            // The last event counts also where the empty line behind it is missing.
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
            // A CR has ended the line already; the LF behind it belongs to it, however late it came.
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

    // A byte order mark may stand in front of the first line, and may come byte by byte.
    private bool SkipMark()
    {
        if (!_hasBegun)
        {
            ReadOnlySpan<byte> mark = "\uFEFF"u8;
            ReadOnlySpan<byte> begin = _buffer.AsSpan(0, Math.Min(_end, mark.Length));
            if (begin.Length < mark.Length && mark.StartsWith(begin) && !_hasEnded)
            {
                return false;
            }

            _hasBegun = true;
            _line = begin.SequenceEqual(mark) ? mark.Length : 0;
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

        // The name and the line end in front of a further line have left room enough.
        IsTooLong |= _dataEnd - _data + 1 + length > MaxBytes;
        _buffer[_dataEnd++] = (byte)'\n';
        _buffer.AsSpan(start, length).CopyTo(_buffer.AsSpan(_dataEnd));
        _dataEnd += length;
    }
}
