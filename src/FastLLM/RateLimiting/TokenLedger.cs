namespace FastLLM.RateLimiting;

/// <summary>A bucket whose sends are entered with a guess, and settled when it is known what they took.</summary>
/// <remarks>What is given back late must not be credited late: had the guess been right, the bucket might have been full long before, and
/// the provider's was. So the entries since the oldest open one are kept, and gone through again when one of them is settled.</remarks>
internal sealed class TokenLedger(long perMinute, double burst = TokenBucket.HalfASecond, double start = 0)
{
    private const int MaxEntries = 8_192;

    private readonly TokenBucket _now = new(perMinute, burst, start);
    private readonly Queue<Entry> _entries = new();
    private double _fullBefore = TokenBucket.FirstFullAt(burst, start);

    public long PerMinute => _now.PerMinute;

    /// <inheritdoc cref="TokenBucket.Wait"/>
    public double Wait(double now, double cost) => _now.Wait(now, cost);

    /// <summary>Takes a guess.</summary>
    /// <returns>What to settle.</returns>
    public Entry Take(double now, double cost)
    {
        var entry = new Entry { At = now, Cost = cost };
        Add(entry);
        _now.Take(now, cost);
        return entry;
    }

    /// <summary>Says what it took.</summary>
    public void Settle(Entry entry, double cost)
    {
        bool changed = entry.Cost != cost;
        entry.Cost = cost;
        entry.IsSettled = true;
        while (_entries.TryPeek(out Entry? oldest) && oldest.IsSettled)
        {
            Close(_entries.Dequeue());
        }

        if (changed)
        {
            double fullAt = _fullBefore;
            foreach (Entry later in _entries)
            {
                fullAt = After(fullAt, later);
            }

            _now.FullAt = fullAt;
        }
    }

    /// <inheritdoc cref="TokenBucket.Correct"/>
    /// <returns>How much less there is than was thought.</returns>
    public double Correct(double now, double remaining)
    {
        double before = Math.Max(_now.FullAt, now);
        _now.Correct(now, remaining);
        Add(new Entry { At = now, LeastFullAt = _now.FullAt, IsSettled = true });
        return Math.Max(0, _now.FullAt - before) * _now.PerSecond;
    }

    private void Add(Entry entry)
    {
        _entries.Enqueue(entry);
        if (_entries.Count > MaxEntries)
        {
            Close(_entries.Dequeue());
        }
    }

    private void Close(Entry oldest) => _fullBefore = After(_fullBefore, oldest);

    private double After(double fullAt, Entry entry) =>
        Math.Max(entry.Cost == 0 ? fullAt : Math.Max(fullAt, entry.At) + (entry.Cost / _now.PerSecond), entry.LeastFullAt);

    /// <summary>One send, or one correction.</summary>
    internal sealed class Entry
    {
        public double At { get; init; }

        public double Cost { get; set; }

        /// <summary>Gets or sets what counts of it in the <see cref="MinuteWindow"/>: the most that it may take, until it is settled.</summary>
        public double Reserved { get; set; }

        public double LeastFullAt { get; init; } = double.NegativeInfinity;

        public bool IsSettled { get; set; }

        /// <summary>Gets or sets the place in the <see cref="MinuteWindow"/>.</summary>
        public long Place { get; set; } = MinuteWindow.NotSent;
    }
}
