using System.Buffers;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the elements of a JSON array one after the other, as the bytes that they are in the file.</summary>
/// <remarks>Only brackets, strings and commas are looked at: an element that is not valid JSON is an error of its row, and the next one is
/// read. One element bounds the memory.</remarks>
internal sealed class JsonArrayReader(Stream stream, bool reusesRows) : RowText
{
    internal const int MaxElementBytes = 256 << 20;
    private const int FirstBytes = 64 * 1024;

    private static readonly SearchValues<byte> s_marks = SearchValues.Create("\"{}[],\n"u8);
    private static readonly SearchValues<byte> s_stringMarks = SearchValues.Create("\"\\\n"u8);

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int _start;
    private int _end;
    private long _lines = 1; // of the byte at _start
    private long _number;
    private long _line;
    private bool _isOpen;
    private bool _isDone;

    public override long Line => _line;

    public override long Number => _number;

    public override async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        if (_isDone)
        {
            return null;
        }

        byte? next = await SkipBlanksAsync(cancellationToken).ConfigureAwait(false);
        if (!_isOpen)
        {
            _isOpen = true;
            _start++; // the bracket that made this an array
            next = await SkipBlanksAsync(cancellationToken).ConfigureAwait(false);
        }

        if (next == (byte)']' && _number == 0)
        {
            await EndAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        (_line, _number) = (_lines, _number + 1);
        int length = await ScanAsync(cancellationToken).ConfigureAwait(false);
        ReadOnlyMemory<byte> element = _buffer.AsMemory(_start, length);
        bool isLast = _buffer[_start + length] == (byte)']';
        _lines += element.Span.Count((byte)'\n');
        _start += length + 1;
        if (isLast)
        {
            element = element.ToArray(); // the buffer is read on to the end of the file
            await EndAsync(cancellationToken).ConfigureAwait(false);
        }

        return element.TrimEnd(" \t\r\n"u8);
    }

    public override ReadOnlyMemory<byte> Keep(ReadOnlyMemory<byte> row) => reusesRows ? row : ChunkedAllocator.Requests.Copy(row.Span);

    public override string Located(string error) => FormattableString.Invariant($"Element {_number} of the array: {error}");

    public override void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    // Whatever follows the array would be lost silently.
    private async ValueTask EndAsync(CancellationToken cancellationToken)
    {
        _isDone = true;
        if (_number == 0)
        {
            _start++;
        }

        if (await SkipBlanksAsync(cancellationToken).ConfigureAwait(false) is not null)
        {
            throw new InvalidDataException(FormattableString.Invariant($"Line {_lines}: something follows the end of the array."));
        }
    }

    // The length of the element at _start: up to the comma or bracket behind it, which is in the buffer then.
    private async ValueTask<int> ScanAsync(CancellationToken cancellationToken)
    {
        (int at, int depth, bool isText) = (0, 0, false);
        while (true)
        {
            ReadOnlySpan<byte> rest = _buffer.AsSpan(_start + at, _end - _start - at);
            int mark = rest.IndexOfAny(isText ? s_stringMarks : s_marks);
            if (mark < 0 || (rest[mark] == (byte)'\\' && mark + 1 == rest.Length))
            {
                at += mark < 0 ? rest.Length : mark;
                if (!await FillAsync(cancellationToken).ConfigureAwait(false))
                {
                    throw new InvalidDataException(
                        FormattableString.Invariant($"The array ends inside element {_number}, which begins in line {_line}. ")
                        + "The file is cut off, or a bracket or a quote is not closed.");
                }

                continue;
            }

            at += mark;
            byte what = rest[mark];
            if (isText)
            {
                isText = what != (byte)'"';
                at += what == (byte)'\\' ? 2 : 1;
                continue;
            }

            switch (what)
            {
                case (byte)'"':
                    isText = true;
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    break;
                case (byte)',' or (byte)']' when depth == 0:
                    return at;
                case (byte)'}' or (byte)']':
                    depth = Math.Max(0, depth - 1);
                    break;
            }

            at++;
        }
    }

    private async ValueTask<byte?> SkipBlanksAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadOnlySpan<byte> rest = _buffer.AsSpan(_start, _end - _start);
            rest = _number == 0 && !_isOpen ? rest[ByteOrderMark.LengthIn(rest)..] : rest;
            int first = rest.IndexOfAnyExcept(" \t\r\n"u8);
            _lines += rest[..(first < 0 ? rest.Length : first)].Count((byte)'\n');
            _start = _end - rest.Length + (first < 0 ? rest.Length : first);
            if (first >= 0)
            {
                return rest[first];
            }

            if (!await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                return null;
            }
        }
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            if (_end >= MaxElementBytes)
            {
                throw new InvalidDataException(FormattableString.Invariant(
                    $"Line {_line}: element {_number} of the array is larger than {MaxElementBytes >> 20} MB. Is a quote not closed?"));
            }

            _buffer = PooledBuffer.Grow(_buffer);
        }

        int read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
        _end += read;
        return read > 0;
    }
}
