namespace FastLLM.Jobs.Reports;

/// <summary>Counts rows over time: by the second, shown in bars of one width, without the pauses between runs.</summary>
internal sealed class Timeline
{
    private const int MaxSeconds = 1 << 16;
    private const int MaxNames = 16;

    private static readonly int[] s_widths = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

    private readonly SortedDictionary<long, Counts> _slots = [];
    private readonly List<string> _factors = [];
    private int _slot = 1;

    public bool IsEmpty => _slots.Count == 0;

    public DateTimeOffset First { get; private set; } = DateTimeOffset.MaxValue;

    public DateTimeOffset Last { get; private set; } = DateTimeOffset.MinValue;

    public IReadOnlyList<string> Bottlenecks => _factors;

    public void Add(DateTimeOffset at, bool succeeded, bool wasSent, string? limitedBy)
    {
        First = at < First ? at : First;
        Last = at > Last ? at : Last;
        while (_slots.Count >= MaxSeconds)
        {
            Coarsen();
        }

        long slot = at.ToUnixTimeSeconds() / _slot;
        if (!_slots.TryGetValue(slot, out Counts? counts))
        {
            _slots.Add(slot, counts = new Counts());
        }

        counts.Answered += succeeded && wasSent ? 1 : 0;
        counts.Known += succeeded && !wasSent ? 1 : 0;
        counts.Failed += succeeded ? 0 : 1;
        if (limitedBy is not null)
        {
            counts.AddBottleneck(PlaceOf(limitedBy), 1);
        }
    }

    /// <summary>Gets the stretches of time that have rows, in bars of one width.</summary>
    /// <param name="most">The approximate number of bars.</param>
    public (int Width, IReadOnlyList<Stretch> Stretches) Bars(int most)
    {
        long busy = 0;
        long before = long.MinValue;
        foreach (long slot in _slots.Keys)
        {
            long gap = before == long.MinValue ? _slot : (slot - before) * _slot;
            busy += gap > PauseAfter(_slot) ? _slot : gap;
            before = slot;
        }

        int width = s_widths.FirstOrDefault(seconds => seconds >= _slot && busy <= (long)seconds * most, Math.Max(_slot, s_widths[^1]));
        var stretches = new List<Stretch>();
        foreach ((long slot, Counts counts) in _slots)
        {
            long bar = slot * _slot / width;
            if (stretches.Count == 0 || (bar - stretches[^1].LastBar) * width > PauseAfter(width))
            {
                stretches.Add(new Stretch(bar));
            }

            stretches[^1].Add(bar, counts);
        }

        return (width, stretches);
    }

    /// <summary>Rounds a time up to a usual one (5 s, 10 min, 1 h …) that is a multiple of a bar's width.</summary>
    public static int RoundWidth(long seconds, int bar)
    {
        var multiple = (int)Math.Min(int.MaxValue / bar * bar, (seconds + bar - 1) / bar * bar);
        return s_widths.FirstOrDefault(width => width >= seconds && width % bar == 0, multiple);
    }

    private static long PauseAfter(int width) => Math.Max(120, 3L * width);

    private int PlaceOf(string factor)
    {
        int place = _factors.IndexOf(factor);
        if (place < 0 && _factors.Count < MaxNames)
        {
            place = _factors.Count;
            _factors.Add(Text.Cut(factor, 40));
        }

        return place < 0 ? MaxNames - 1 : place;
    }

    // A day by the second is more than a chart shows: count by two seconds, ten, a minute … from now on.
    private void Coarsen()
    {
        int finer = _slot;
        _slot = s_widths.FirstOrDefault(width => width > finer && width % finer == 0, finer * 2);
        KeyValuePair<long, Counts>[] slots = [.. _slots];
        _slots.Clear();
        foreach ((long slot, Counts counts) in slots)
        {
            long coarse = slot * finer / _slot;
            if (_slots.TryGetValue(coarse, out Counts? there))
            {
                there.Add(counts);
            }
            else
            {
                _slots.Add(coarse, counts);
            }
        }
    }

    /// <summary>Counts the rows of one bar.</summary>
    internal sealed class Counts
    {
        private int[] _factors = [];

        public int Answered { get; set; }

        public int Known { get; set; }

        public int Failed { get; set; }

        public int All => Answered + Known + Failed;

        /// <summary>Gets the place of the bottleneck that most rows name; −1 if none does.</summary>
        public int Factor => _factors.Length == 0 ? -1 : Array.IndexOf(_factors, _factors.Max());

        public void AddBottleneck(int place, int count)
        {
            if (place >= _factors.Length)
            {
                Array.Resize(ref _factors, place + 1);
            }

            _factors[place] += count;
        }

        public void Add(Counts other)
        {
            Answered += other.Answered;
            Known += other.Known;
            Failed += other.Failed;
            for (var place = 0; place < other._factors.Length; place++)
            {
                AddBottleneck(place, other._factors[place]);
            }
        }
    }

    /// <summary>Represents bars without a pause between them.</summary>
    internal sealed class Stretch(long firstBar)
    {
        public long FirstBar => firstBar;

        public long LastBar => firstBar + Bars.Count - 1;

        public List<Counts> Bars { get; } = [];

        public void Add(long bar, Counts counts)
        {
            while (LastBar < bar)
            {
                Bars.Add(new Counts());
            }

            Bars[^1].Add(counts);
        }
    }
}
