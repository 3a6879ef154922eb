using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Splits a table into records and cells: RFC 4180 over bytes, with any one-byte separator.</summary>
/// <remarks>
/// <para>An invalid record is reported with the line in which it begins, and the next record is read. Lines end with LF or CR LF. A quote
/// counts at the begin of a cell, and is text elsewhere. Cells are not trimmed or converted.</para>
/// <para>One record bounds the memory. A record that is too large ends the reading, because the begin of the next one is unknown.</para>
/// </remarks>
internal sealed class TableReader(Stream stream, byte separator) : IDisposable
{
    // Many fields because they are the state of one machine, which can stop after any byte.
    internal const int MaxCellBytes = 64 << 20;
    private const int MaxRecordBytes = 256 << 20;
    private const int MaxCells = 16_384;
    private const byte Quote = (byte)'"';
    private const byte LineFeed = (byte)'\n';

    private readonly SearchValues<byte> _plainEnds = SearchValues.Create(separator, LineFeed);
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
    private readonly List<int> _ends = [];
    private ArrayBufferWriter<byte> _cells = new(4096);
    private int _at;
    private int _end;
    private long _lines = 1;
    private bool _begun;
    private Place _place;
    private string? _error;
    private bool _wasQuoted; // the record has a quoted cell
    private bool _isQuoted; // a quote closed the cell, at _quotedEnd
    private int _quotedEnd;

    private enum Place
    {
        CellStart,
        Plain,
        Quoted,
        AfterQuote,
    }

    /// <summary>Gets the number of the line in which the last record begins, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Reads the next record, without empty lines.</summary>
    /// <returns>Its cells, or its error; neither after the last record.</returns>
    /// <exception cref="InvalidDataException">A cell or record is too large.</exception>
    public async ValueTask<(string[]? Cells, string? Error)> ReadAsync(CancellationToken cancellationToken)
    {
        Begin();
        while (true)
        {
            if (_at == _end && !await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                return End();
            }

            if (!ScanToEnd())
            {
                continue;
            }

            if (_ends.Count > 1 || _cells.WrittenCount > 0 || _error is not null || _wasQuoted)
            {
                return Take();
            }

            Begin(); // an empty line
        }
    }

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    private int CellBytes => _cells.WrittenCount - (_ends.Count > 0 ? _ends[^1] : 0);

    private void Begin()
    {
        Line = _lines;
        _ends.Clear();
        _cells = _cells.Capacity > 1 << 20 ? new ArrayBufferWriter<byte>(4096) : _cells;
        _cells.ResetWrittenCount();
        _place = Place.CellStart;
        _wasQuoted = _isQuoted = false;
        _error = null;
    }

    private (string[]? Cells, string? Error) End()
    {
        if (_place == Place.Quoted)
        {
            _error ??= "A quoted cell of this row is never closed. Close it, or double a quote inside a cell: \"\".";
        }
        else if (_place == Place.AfterQuote)
        {
            (_quotedEnd, _isQuoted) = (_cells.WrittenCount, true);
        }

        if (_ends.Count == 0 && _cells.WrittenCount == 0 && _error is null && !_wasQuoted)
        {
            return default;
        }

        EndCell(isLast: true);
        return Take();
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        // A BOM and one more byte: a table of only a BOM is empty.
        _at = 0;
        int min = _begun ? 1 : ByteOrderMark.Bytes.Length + 1;
        _end = await stream.ReadAtLeastAsync(_buffer, min, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (!_begun)
        {
            _begun = true;
            _at = ByteOrderMark.LengthIn(_buffer.AsSpan(0, _end));
        }

        return _end > _at;
    }

    // Scans to the end of the record (true) or of the buffer (false).
    private bool ScanToEnd()
    {
        while (_at < _end)
        {
            ReadOnlySpan<byte> rest = _buffer.AsSpan(_at, _end - _at);
            switch (_place)
            {
                case Place.CellStart when rest[0] == Quote:
                    _place = Place.Quoted;
                    _wasQuoted = true;
                    _at++;
                    break;
                case Place.CellStart:
                    _place = Place.Plain;
                    break;
                case Place.Quoted:
                    ScanQuoted(rest);
                    break;
                case Place.AfterQuote when rest[0] == Quote:
                    _cells.Write("\""u8);
                    _place = Place.Quoted;
                    _at++;
                    break;
                case Place.AfterQuote:
                    _quotedEnd = _cells.WrittenCount;
                    _isQuoted = true;
                    _place = Place.Plain;
                    break;
                default:
                    if (ScanPlain(rest))
                    {
                        return true;
                    }

                    break;
            }
        }

        return false;
    }

    private void ScanQuoted(ReadOnlySpan<byte> rest)
    {
        int quote = rest.IndexOf(Quote);
        ReadOnlySpan<byte> text = quote < 0 ? rest : rest[..quote];
        _lines += text.Count(LineFeed);
        Write(text);
        _at += text.Length + (quote < 0 ? 0 : 1);
        _place = quote < 0 ? Place.Quoted : Place.AfterQuote;
    }

    private bool ScanPlain(ReadOnlySpan<byte> rest)
    {
        int end = rest.IndexOfAny(_plainEnds);
        Write(end < 0 ? rest : rest[..end]);
        _at += end < 0 ? rest.Length : end + 1;
        if (end < 0)
        {
            return false;
        }

        bool isLast = rest[end] == LineFeed;
        _lines += isLast ? 1 : 0;
        EndCell(isLast);
        _place = Place.CellStart;
        return isLast;
    }

    private void Write(ReadOnlySpan<byte> text)
    {
        if (CellBytes + text.Length > MaxCellBytes)
        {
            throw TooLarge($"a cell is larger than {MaxCellBytes >> 20} MB");
        }

        if (_cells.WrittenCount + text.Length > MaxRecordBytes)
        {
            throw TooLarge($"a row is larger than {MaxRecordBytes >> 20} MB");
        }

        _cells.Write(text);
    }

    private void EndCell(bool isLast)
    {
        // A CR before the LF belongs to the end of the line, unless it is inside quotes.
        int end = _cells.WrittenCount;
        int first = _isQuoted ? _quotedEnd : end - CellBytes;
        if (isLast && end > first && _cells.WrittenSpan[end - 1] == (byte)'\r')
        {
            end--;
        }

        if (_isQuoted && end > _quotedEnd)
        {
            _error ??= "Text follows the closing quote of a cell. Double a quote inside a quoted cell: \"\".";
        }

        _isQuoted = false;
        if (_ends.Count == MaxCells)
        {
            throw TooLarge($"a row has more than {MaxCells:N0} cells");
        }

        _ends.Add(end);
        if (isLast && end == 0 && _ends.Count == 1)
        {
            _cells.ResetWrittenCount(); // only a CR
        }
    }

    private InvalidDataException TooLarge(FormattableString what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"Line {Line}: {FormattableString.Invariant(what)}. Is a quote not closed?"));

    private (string[]? Cells, string? Error) Take()
    {
        if (_error is not null)
        {
            return (null, _error);
        }

        var cells = new string[_ends.Count];
        int start = 0;
        for (var i = 0; i < cells.Length; i++)
        {
            ReadOnlySpan<byte> cell = _cells.WrittenSpan[start.._ends[i]];
            if (!Utf8.IsValid(cell))
            {
                return (null, "The row has bytes that are not valid UTF-8. Save the table as UTF-8.");
            }

            cells[i] = Encoding.UTF8.GetString(cell);
            start = _ends[i];
        }

        return (cells, null);
    }
}
