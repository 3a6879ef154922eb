using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace FastLLM.Jobs.Input;

/// <summary>Cuts a table into records and cells: RFC 4180 over bytes, with any one-byte separator.</summary>
/// <remarks>
/// <para>Made for mistakes: a record that is wrong is told with the line that it begins in, and the next one is read. Lines end with LF, also CR LF; a quote
/// counts where a cell begins with it, and is text elsewhere. Cells are what stands there: no trimming, no numbers, no dates.</para>
/// <para>Memory is bounded by one record. One that would not fit ends the reading: nobody could tell where the next begins.</para>
/// </remarks>
internal sealed class TableReader(Stream stream, byte separator) : IDisposable
{
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
    private bool _isQuoted; // the cell has been closed by a quote, where _quotedEnd is
    private int _quotedEnd;

    private enum Place
    {
        CellStart,
        Plain,
        Quoted,
        AfterQuote,
    }

    /// <summary>Gets the number of the line that the last record begins in, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>Reads the next record; lines with nothing in them are passed over.</summary>
    /// <returns>Its cells, or what is wrong with it; neither after the last one.</returns>
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

            Begin(); // a line with nothing in it
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
            _error ??= "A quote opens a cell of this row and is never closed.";
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
        // A BOM and one byte more: a table of nothing but a BOM is an empty one.
        _at = 0;
        _end = await stream.ReadAtLeastAsync(_buffer, _begun ? 1 : "\uFEFF"u8.Length + 1, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (!_begun)
        {
            _begun = true;
            _at = _buffer.AsSpan(0, _end).StartsWith("\uFEFF"u8) ? "\uFEFF"u8.Length : 0;
        }

        return _end > _at;
    }

    // Through the buffer, to the record's end or the buffer's; says which.
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
        // A CR before the line's end belongs to the end, but for one inside quotes.
        int end = _cells.WrittenCount;
        int first = _isQuoted ? _quotedEnd : end - CellBytes;
        if (isLast && end > first && _cells.WrittenSpan[end - 1] == (byte)'\r')
        {
            end--;
        }

        if (_isQuoted && end > _quotedEnd)
        {
            _error ??= "Text follows the closing quote of a cell. A quote inside a quoted cell stands twice: \"\".";
        }

        _isQuoted = false;
        if (_ends.Count == MaxCells)
        {
            throw TooLarge($"a row has more than {MaxCells:N0} cells");
        }

        _ends.Add(end);
        if (isLast && end == 0 && _ends.Count == 1)
        {
            _cells.ResetWrittenCount(); // nothing but a CR
        }
    }

    private InvalidDataException TooLarge(FormattableString what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"Line {Line}: {FormattableString.Invariant(what)}. Is a quote opened and never closed?"));

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
                return (null, "The row has bytes that are no valid UTF-8. Save the table as UTF-8.");
            }

            cells[i] = Encoding.UTF8.GetString(cell);
            start = _ends[i];
        }

        return (cells, null);
    }
}
