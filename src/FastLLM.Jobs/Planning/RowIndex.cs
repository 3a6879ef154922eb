using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using FastLLM.Jobs.Output;

namespace FastLLM.Jobs.Planning;

/// <summary>Stores the id, key and record of each row: 24 bytes, and 5 to 11 more to find the row by its id.</summary>
/// <remarks>Ids and keys are 64 bits of their SHA-256. Among a million rows, two different ids collide with a probability of 3 × 10⁻⁸; a
/// record is taken for another row's only if the keys collide as well. Rows are never removed. One thread may add rows
/// while another sets records.</remarks>
internal sealed class RowIndex
{
    /// <summary>The offset of the record of a row without one.</summary>
    public const long NoRecord = -1;

    /// <summary>The fingerprint of the key of a row without a request.</summary>
    public const ulong NoKey = 0;

    private const long FailedBit = 1L << 62;

    // No record to keep, but the output holds a failure of the row until it has a new outcome.
    private const long OldFailure = -2;

    private readonly Lock _growing = new();
    private ulong[] _ids = new ulong[1024];
    private ulong[] _keys = new ulong[1024];
    private long[] _records = new long[1024];
    private int[] _places = new int[2048]; // 1 + the row's number; 0 is empty

    /// <summary>Gets the number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Gets the 64 bits that stand for an id.</summary>
    public static ulong Fingerprint(string id)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        int most = Encoding.UTF8.GetMaxByteCount(id.Length);
        Span<byte> bytes = most <= 512 ? stackalloc byte[512] : new byte[most];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(id, bytes)], digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }

    /// <summary>Gets the 64 bits that stand for a key.</summary>
    public static ulong Fingerprint(RequestKey key)
    {
        Span<byte> bytes = stackalloc byte[RequestKey.Size];
        key.CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Adds the next row.</summary>
    /// <returns>Its number; if an earlier row has the id, the bitwise complement of that row's number, and nothing is added.</returns>
    public int Add(ulong id, ulong key)
    {
        ref int place = ref PlaceOf(id);
        if (place != 0)
        {
            return ~(place - 1);
        }

        int row = Count;
        if (row == _ids.Length)
        {
            // By half: at a million rows, doubling would waste up to 24 MB.
            Array.Resize(ref _ids, row + (row / 2));
            Array.Resize(ref _keys, _ids.Length);
            lock (_growing)
            {
                Array.Resize(ref _records, _ids.Length); // a record that is set meanwhile must not be lost with the old array
            }
        }

        (_ids[row], _keys[row], _records[row]) = (id, key, NoRecord);
        place = ++Count;
        if (Count * 4L > _places.Length * 3L)
        {
            Rehash();
        }

        return row;
    }

    /// <summary>Finds a row by its id.</summary>
    /// <returns>Its number, or −1.</returns>
    public int Find(ulong id) => PlaceOf(id) - 1;

    /// <summary>Gets the fingerprint of a row's key.</summary>
    public ulong KeyOf(int row) => _keys[row];

    /// <summary>Gets the fingerprint of a row's id.</summary>
    public ulong IdOf(int row) => _ids[row];

    /// <summary>Replaces the fingerprint of a row's key.</summary>
    public void SetKey(int row, ulong key) => _keys[row] = key;

    /// <summary>Counts the different keys, and the rows that have one, among the first rows.</summary>
    /// <param name="rows">The number of rows.</param>
    /// <param name="repeated">Is called for each row whose key an earlier row has too.</param>
    public (long Distinct, long Keyed) CountKeys(int rows, Action<ulong>? repeated = null)
    {
        ulong[] keys = _keys.AsSpan(0, rows).ToArray();
        Array.Sort(keys);
        (long distinct, long keyed) = (0, 0);
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] == NoKey)
            {
                continue;
            }

            keyed++;
            if (i == 0 || keys[i] != keys[i - 1])
            {
                distinct++;
            }
            else
            {
                repeated?.Invoke(keys[i]);
            }
        }

        return (distinct, keyed);
    }

    /// <summary>Gets the offset of the row's record in the output, or <see cref="NoRecord"/>.</summary>
    public long RecordOf(int row) => _records[row] is >= 0 and var record ? record & ~FailedBit : NoRecord;

    /// <summary>Gets a value indicating whether the row has a record that was set as a failure.</summary>
    public bool IsFailure(int row) => _records[row] >= FailedBit;

    /// <summary>Sets the offset of the row's record.</summary>
    public void SetRecord(int row, long offset, bool isFailure = false)
    {
        lock (_growing)
        {
            _records[row] = isFailure && offset >= 0 ? offset | FailedBit : offset;
        }
    }

    /// <summary>Notes that the output holds a failure of a row that is sent again. It is none of the row's records any more.</summary>
    public void SetOldFailure(int row) => SetRecord(row, OldFailure);

    /// <summary>Determines whether the output still holds a failure of the row, which was sent again, but has no new outcome.</summary>
    public bool HasOldFailure(int row) => _records[row] == OldFailure;

    /// <summary>Counts those rows among the first rows.</summary>
    public long CountOldFailures(long rows) => _records.AsSpan(0, (int)rows).Count(OldFailure);

    /// <summary>Determines whether a record is the one of a row: it has the row's id, and the row's key if both have one.</summary>
    public bool IsRecordOf(int row, in OutputEntry record) => !record.IsDamaged && _ids[row] == Fingerprint(record.CustomId)
        && HasKeyOf(row, record);

    /// <summary>Determines whether a record that has the id of a row has its key too, if both have one.</summary>
    public bool HasKeyOf(int row, in OutputEntry record) =>
        record.Key is not { } key || _keys[row] == NoKey || _keys[row] == Fingerprint(key);

    /// <summary>Forgets all records.</summary>
    public void ClearRecords() => _records.AsSpan(0, Count).Fill(NoRecord);

    // Fingerprints are as good as random: linear probing from their own bits.
    private ref int PlaceOf(ulong id)
    {
        int mask = _places.Length - 1;
        int at = (int)BitOperations.RotateLeft(id, 32) & mask;
        while (_places[at] != 0 && _ids[_places[at] - 1] != id)
        {
            at = (at + 1) & mask;
        }

        return ref _places[at];
    }

    private void Rehash()
    {
        _places = new int[_places.Length * 2];
        for (int row = 0; row < Count; row++)
        {
            PlaceOf(_ids[row]) = row + 1;
        }
    }
}
