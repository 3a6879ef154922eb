namespace FastLLM.RateLimiting;

/// <summary>Counts sends and refusals in blocks of sixteen sends in a row, and remembers the last 256 of them.</summary>
internal sealed class SendBlocks
{
    /// <summary>The sends of a block.</summary>
    public const int Size = 16;

    /// <summary>So many blocks are remembered.</summary>
    public const int Remembered = 256;

    private readonly byte[] _refused = new byte[Remembered];
    private readonly double[] _beganAt = new double[Remembered];

    /// <summary>A send begins.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="now">The time.</param>
    public void Begin(long index, double now)
    {
        if (index % Size == 0)
        {
            long block = index / Size % Remembered;
            (_beganAt[block], _refused[block]) = (now, 0);
        }
    }

    /// <summary>A send was refused.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="count">The sends so far.</param>
    public void Refuse(long index, long count)
    {
        if (index >= count - (Size * (Remembered - 1)))
        {
            _refused[index / Size % Remembered]++;
        }
    }

    /// <summary>Gets how many sends of a block were refused.</summary>
    public int RefusedOf(long block) => _refused[block % Remembered];

    /// <summary>Gets when the first send of a block began.</summary>
    public double BeganAt(long block) => _beganAt[block % Remembered];
}
