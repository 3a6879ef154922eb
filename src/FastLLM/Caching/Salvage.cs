using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Caching;

/// <summary>Reads the entries of a damaged database, page by page, without SQLite, which may not even open it.</summary>
/// <remarks>
/// Each row has a digest of all its values, so that it can be trusted wherever it was found. Overwritten and deleted
/// rows are not found: SQLite blanks them (<c>secure_delete</c>). File format: https://sqlite.org/fileformat2.html#b_tree_pages
/// </remarks>
internal sealed class Salvage : IDisposable
{
    private const int MaxPayload = 1 << 30;

    private readonly SafeFileHandle? _database;
    private readonly SafeFileHandle? _log;
    private readonly WriteAheadLog _frames;
    private readonly int _pageSize;
    private readonly uint _pageCount;

    public Salvage(string database, string log)
    {
        _frames = WriteAheadLog.Read(log);
        _log = _frames.PageSize > 0 ? Open(log) : null;
        _database = File.Exists(database) ? Open(database) : null;
        _pageSize = PageSize();
        long pages = _database is null ? 0 : (RandomAccess.GetLength(_database) + _pageSize - 1) / _pageSize;
        _pageCount = (uint)Math.Max(pages, _frames.Pages.Count == 0 ? 0 : _frames.Pages.Keys.Max());
    }

    /// <summary>Gets the number of damaged rows.</summary>
    public long Damaged { get; private set; }

    /// <summary>Reads every intact row. A row may be returned twice, as it was at two times.</summary>
    public IEnumerable<(RequestKey Key, CacheEntry Entry)> Rows()
    {
        var page = new byte[_pageSize];
        for (uint number = 1; number <= _pageCount; number++)
        {
            if (ReadPage(number, page))
            {
                foreach ((RequestKey, CacheEntry) row in RowsOf(page, number == 1 ? 100 : 0))
                {
                    yield return row;
                }
            }
        }

        foreach (long at in _frames.Doubtful)
        {
            if (RandomAccess.Read(_log!, page, at) == page.Length)
            {
                foreach ((RequestKey, CacheEntry) row in RowsOf(page, 0))
                {
                    yield return row;
                }
            }
        }
    }

    public void Dispose()
    {
        _database?.Dispose();
        _log?.Dispose();
    }

    private IEnumerable<(RequestKey Key, CacheEntry Entry)> RowsOf(byte[] page, int at)
    {
        foreach (int cell in Cells(page, at))
        {
            if (Payload(page, cell) is { } payload
                && RowRecord.TryParse(payload, out RequestKey key, out CacheEntry entry, out bool isDamaged))
            {
                if (!isDamaged)
                {
                    yield return (key, entry);
                }

                Damaged += isDamaged ? 1 : 0;
            }
        }
    }

    private static SafeFileHandle Open(string path) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    private int PageSize()
    {
        Span<byte> size = stackalloc byte[2];
        if (_database is not null && RandomAccess.Read(_database, size, 16) == 2)
        {
            int stated = BinaryPrimitives.ReadUInt16BigEndian(size) is var s && s == 1 ? 65536 : s;
            if (int.IsPow2(stated) && stated >= 512 && (_frames.PageSize == 0 || stated == _frames.PageSize))
            {
                return stated;
            }
        }

        return _frames.PageSize > 0 ? _frames.PageSize : 4096;
    }

    private bool ReadPage(uint number, Span<byte> page)
    {
        if (_frames.Pages.TryGetValue(number, out long at))
        {
            return RandomAccess.Read(_log!, page, at) == page.Length;
        }

        return _database is not null && number > 0 && RandomAccess.Read(_database, page, (number - 1L) * _pageSize) == page.Length;
    }

    // The type of the page is ignored: it may be damaged, and anything that is not a row has no matching digest.
    private List<int> Cells(ReadOnlySpan<byte> page, int at)
    {
        var cells = new List<int>();
        int count = BinaryPrimitives.ReadUInt16BigEndian(page[(at + 3)..]);
        for (var i = 0; i < count && at + 8 + (2 * i) + 2 <= _pageSize; i++)
        {
            int cell = BinaryPrimitives.ReadUInt16BigEndian(page[(at + 8 + (2 * i))..]);
            if (cell > at + 8 && cell < _pageSize - 4)
            {
                cells.Add(cell);
            }
        }

        return cells;
    }

    private byte[]? Payload(ReadOnlySpan<byte> page, int cell)
    {
        ReadOnlySpan<byte> rest = page[cell..];
        if (!RowRecord.TryReadVarint(ref rest, out long length) || !RowRecord.TryReadVarint(ref rest, out _)
            || length is < RowRecord.LeastBytes or > MaxPayload)
        {
            return null;
        }

        // The format defines how much is in the page: as much as lets four cells fit, or as fills the last overflow page.
        int most = _pageSize - 35;
        int least = ((_pageSize - 12) * 32 / 255) - 23;
        long fitting = least + ((length - least) % (_pageSize - 4));
        int local = length <= most ? (int)length : fitting <= most ? (int)fitting : least;
        bool overflows = local < length;
        if (rest.Length < local + (overflows ? 4 : 0) || length > (_pageCount + 1L) * _pageSize)
        {
            return null;
        }

        var payload = new byte[length];
        rest[..local].CopyTo(payload);
        return !overflows || ReadOverflow(BinaryPrimitives.ReadUInt32BigEndian(rest[local..]), payload.AsSpan(local)) ? payload : null;
    }

    private bool ReadOverflow(uint next, Span<byte> rest)
    {
        var page = new byte[_pageSize];
        while (!rest.IsEmpty)
        {
            if (next == 0 || next > _pageCount || !ReadPage(next, page))
            {
                return false;
            }

            int count = Math.Min(rest.Length, _pageSize - 4);
            page.AsSpan(4, count).CopyTo(rest);
            rest = rest[count..];
            next = BinaryPrimitives.ReadUInt32BigEndian(page);
        }

        return true;
    }
}
