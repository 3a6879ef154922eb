namespace FastLLM.RateLimiting;

/// <summary>The last sends that were refused: as many as may be within one delay.</summary>
internal sealed class RecentRefusals
{
    private const int Most = 256;

    private readonly Queue<long> _indexes = new();

    public void Add(in SendMark mark)
    {
        if (_indexes.Count == Most)
        {
            _indexes.Dequeue();
        }

        _indexes.Enqueue(mark.Index);
    }

    /// <summary>Counts those after a send.</summary>
    public int CountAfter(long index)
    {
        var count = 0;
        foreach (long refused in _indexes)
        {
            count += refused > index ? 1 : 0;
        }

        return count;
    }

    /// <summary>Gets how many sends there are from the first to the last one of those that begin with a send.</summary>
    public long SpanFrom(long index)
    {
        (long first, long last) = (long.MaxValue, -1);
        foreach (long refused in _indexes)
        {
            (first, last) = refused < index ? (first, last) : (Math.Min(first, refused), Math.Max(last, refused));
        }

        return Math.Max(0, last - first + 1);
    }
}
