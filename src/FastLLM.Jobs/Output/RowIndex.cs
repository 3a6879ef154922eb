using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace FastLLM.Jobs.Output;

/// <summary>What a run remembers of each row: 24 bytes, and 5 to 11 more to find it by its id.</summary>
/// <remarks>
/// Ids and keys are kept as 64 bits of their SHA-256. Among a million rows, two different ids meet with a probability of
/// 3 × 10⁻⁸; a finished row is taken for another only if its key meets as well. It never forgets a row. Not safe for concurrent use.
/// </remarks>
internal sealed class RowIndex
{
    /// <summary>The offset of a row that has no record.</summary>
    public const long NoRecord = -1;

    /// <summary>The fingerprint of a row that asks nothing.</summary>
    public const ulong NoKey = 0;

    private ulong[] _ids = new ulong[1024];
    private ulong[] _keys = new ulong[1024];
    private long[] _records = new long[1024];
    private int[] _places = new int[2048]; // 1 + the row's number; 0 is empty

    /// <summary>Gets the number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>64 bits that stand for an id.</summary>
    public static ulong Fingerprint(string id)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        int most = Encoding.UTF8.GetMaxByteCount(id.Length);
        Span<byte> bytes = most <= 512 ? stackalloc byte[512] : new byte[most];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(id, bytes)], digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }

    /// <summary>64 bits that stand for a key.</summary>
    public static ulong Fingerprint(RequestKey key)
    {
        Span<byte> bytes = stackalloc byte[RequestKey.Size];
        key.CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Adds the next row.</summary>
    /// <returns>Its number, or the bitwise complement of the number of an earlier row with the same id; then it was not added.</returns>
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
            Array.Resize(ref _records, _ids.Length);
        }

        (_ids[row], _keys[row], _records[row]) = (id, key, NoRecord);
        place = ++Count;
        if (Count * 4L > _places.Length * 3L)
        {
            Rehash();
        }

        return row;
    }

    /// <summary>Finds a row by its id; −1 where there is none.</summary>
    public int Find(ulong id) => PlaceOf(id) - 1;

    /// <summary>The fingerprint of a row's key.</summary>
    public ulong KeyOf(int row) => _keys[row];

    /// <summary>The fingerprint of a row's id.</summary>
    public ulong IdOf(int row) => _ids[row];

    /// <summary>Says what a row asks.</summary>
    public void SetKey(int row, ulong key) => _keys[row] = key;

    /// <summary>How many rows ask what an earlier row asks.</summary>
    public long CountEqualKeys()
    {
        ulong[] keys = _keys.AsSpan(0, Count).ToArray();
        Array.Sort(keys);
        var equal = 0L;
        for (var i = 1; i < keys.Length; i++)
        {
            equal += keys[i] == keys[i - 1] && keys[i] != NoKey ? 1 : 0;
        }

        return equal;
    }

    /// <summary>Where the row's record begins in OUTPUT, or <see cref="NoRecord"/>.</summary>
    public long RecordOf(int row) => _records[row];

    /// <summary>Says where the row's record begins.</summary>
    public void SetRecord(int row, long offset) => _records[row] = offset;

    // Ids are fingerprints, as good as random: linear probing from their own bits.
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
