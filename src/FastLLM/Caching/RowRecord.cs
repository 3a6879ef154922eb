using System.Text;

namespace FastLLM.Caching;

/// <summary>Reads a row of the table of entries in SQLite's record format, if SQLite cannot read it.</summary>
/// <remarks>File format: https://sqlite.org/fileformat2.html#record_format</remarks>
internal static class RowRecord
{
    /// <summary>The minimum length of a row: a key, a digest, and the header.</summary>
    public const int LeastBytes = RequestKey.Size + EntryDigest.Size + 9;

    private const int ColumnCount = 8;
    private const long LatestTime = 253_402_300_799_999;

    /// <summary>Reads a record.</summary>
    /// <param name="record">The record.</param>
    /// <param name="key">The key.</param>
    /// <param name="entry">The entry; its body is a part of <paramref name="record"/>.</param>
    /// <param name="isDamaged">Whether the record is a row of a cache, but damaged.</param>
    /// <returns>Whether the record is a row of a cache.</returns>
    public static bool TryParse(ReadOnlyMemory<byte> record, out RequestKey key, out CacheEntry entry, out bool isDamaged)
    {
        (key, entry, isDamaged) = (default, default, false);
        ReadOnlySpan<byte> bytes = record.Span;
        ReadOnlySpan<byte> types = bytes;
        if (!TryReadVarint(ref types, out long headerLength) || headerLength < ColumnCount + 1 || headerLength > bytes.Length)
        {
            return false;
        }

        types = types[..((int)headerLength - (bytes.Length - types.Length))];
        Span<Range> columns = stackalloc Range[ColumnCount];
        Span<long> kinds = stackalloc long[ColumnCount];
        long at = headerLength;
        for (var i = 0; i < ColumnCount; i++)
        {
            if (!TryReadVarint(ref types, out kinds[i]) || LengthOf(kinds[i]) is not (>= 0 and var length) || at + length > bytes.Length)
            {
                return false;
            }

            columns[i] = (int)at..(int)(at + length);
            at += length;
        }

        // id is stored as NULL, because it is the number of the row; then key, scope, status, model, created, digest, body
        if (!types.IsEmpty || at != bytes.Length || kinds[0] != 0 || LengthOf(kinds[1]) != RequestKey.Size
            || LengthOf(kinds[6]) != EntryDigest.Size)
        {
            return false;
        }

        key = RequestKey.FromBytes(bytes[columns[1]]);
        ReadOnlySpan<byte> scope = bytes[columns[2]];
        ReadOnlySpan<byte> model = bytes[columns[4]];
        long created = Integer(bytes[columns[5]], kinds[5]);
        var status = (int)Integer(bytes[columns[3]], kinds[3]);
        Span<byte> digest = stackalloc byte[EntryDigest.Size];
        EntryDigest.Compute(bytes[columns[1]], scope, model, status, created, bytes[columns[7]], digest);
        isDamaged = !digest.SequenceEqual(bytes[columns[6]]) || created is < 0 or > LatestTime;
        if (!isDamaged)
        {
            entry = new CacheEntry(record[columns[7]], Encoding.UTF8.GetString(scope), status,
                DateTimeOffset.FromUnixTimeMilliseconds(created))
            {
                Model = model.IsEmpty ? null : Encoding.UTF8.GetString(model),
            };
        }

        return true;
    }

    /// <summary>Reads a number of one to nine bytes: seven bits of each, and eight of the ninth.</summary>
    public static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, out long value)
    {
        value = 0;
        for (var i = 0; i < 9 && i < bytes.Length; i++)
        {
            if (i == 8)
            {
                value = (value << 8) | bytes[i];
                bytes = bytes[9..];
                return true;
            }

            value = (value << 7) | (uint)(bytes[i] & 0x7F);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }

        return false;
    }

    private static long LengthOf(long kind) => kind switch
    {
        0 or 8 or 9 => 0,
        >= 1 and <= 4 => kind,
        5 => 6,
        6 or 7 => 8,
        >= 12 => (kind - 12) / 2,
        _ => -1,
    };

    private static long Integer(ReadOnlySpan<byte> bytes, long kind)
    {
        if (kind is 0 or 8 or 9 or 7 or >= 12)
        {
            return kind == 9 ? 1 : 0;
        }

        long value = (sbyte)bytes[0];
        foreach (byte b in bytes[1..])
        {
            value = (value << 8) | b;
        }

        return value;
    }
}
