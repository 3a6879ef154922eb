using System.Numerics;

namespace FastLLM.Jobs.Planning;

/// <summary>Stores where the answer to a request is recorded: 21 to 43 bytes for each key that occurs more than once in a file, and for
/// each key of a pipe, whose later rows are unknown.</summary>
/// <remarks>Keys are 64 bits of their SHA-256; a reader compares the whole key. Safe for concurrent use.</remarks>
internal sealed class AnswerIndex(bool isPipe)
{
    private readonly Lock _gate = new();
    private ulong[] _keys = new ulong[16];
    private long[] _records = new long[16]; // 2 + the offset; 1 is a key without an answer, 0 is empty
    private int _count;

    /// <summary>Expects an answer that several rows need.</summary>
    public void Expect(ulong key)
    {
        lock (_gate)
        {
            ref long record = ref Add(key);
            record = Math.Max(record, 1);
        }
    }

    /// <summary>Returns whether more than one row may need the answer.</summary>
    public bool MayRepeat(ulong key)
    {
        if (isPipe)
        {
            return key != RowIndex.NoKey;
        }

        lock (_gate)
        {
            return _count > 0 && _records[PlaceOf(key)] != 0;
        }
    }

    /// <summary>Stores where an answer is recorded.</summary>
    public void Set(ulong key, long record)
    {
        lock (_gate)
        {
            Add(key) = record + 2;
        }
    }

    /// <summary>Gets the offset of the answer's record, or <see cref="RowIndex.NoRecord"/>.</summary>
    public long Find(ulong key)
    {
        lock (_gate)
        {
            return _count > 0 && _records[PlaceOf(key)] is > 1 and var record ? record - 2 : RowIndex.NoRecord;
        }
    }

    private ref long Add(ulong key)
    {
        int place = PlaceOf(key);
        if (_records[place] == 0)
        {
            _keys[place] = key;
            if (++_count * 4L > _keys.Length * 3L)
            {
                _records[place] = 1;
                Grow();
                place = PlaceOf(key);
            }
        }

        return ref _records[place];
    }

    // Fingerprints are as good as random: linear probing from their own bits.
    private int PlaceOf(ulong key)
    {
        int mask = _keys.Length - 1;
        int at = (int)BitOperations.RotateLeft(key, 32) & mask;
        while (_records[at] != 0 && _keys[at] != key)
        {
            at = (at + 1) & mask;
        }

        return at;
    }

    private void Grow()
    {
        (ulong[] keys, long[] records) = (_keys, _records);
        (_keys, _records) = (new ulong[keys.Length * 2], new long[keys.Length * 2]);
        for (var i = 0; i < keys.Length; i++)
        {
            if (records[i] != 0)
            {
                int place = PlaceOf(keys[i]);
                (_keys[place], _records[place]) = (keys[i], records[i]);
            }
        }
    }
}
