namespace FastLLM.RateLimiting;

/// <summary>Counts sends, and tells which of them were accepted long before they are answered.</summary>
/// <remarks>
/// A refusal takes milliseconds, an answer may take half a minute. A send that was not refused for as long as refusals take is accepted:
/// it is
/// <em>settled</em>. Sends settle in slices of <see cref="RefusalDelay"/>, so each settles after one to two delays.
/// </remarks>
/// <param name="seesAll">Whether no other process shares the limit.</param>
internal sealed class SendCounter(bool seesAll = true)
{
    // The delay follows longer refusals at once and shorter ones more slowly: a send that settles too early counts as accepted by mistake.
    // Refusals of sends that were under way together count once, so that what hundreds of them suffered at the start is soon forgotten.
    private const double Decay = 0.5;
    private const double DecayOfPart = 0.05;

    // As many refusals as may come within one delay.
    private const int Recent = 256;

    /// <summary>Sends are counted in blocks of so many.</summary>
    public const int Block = 16;

    /// <summary>So many blocks are remembered.</summary>
    public const int Remembered = 256;

    private readonly Queue<long> _recent = new();
    private readonly byte[] _refusedOfBlock = new byte[Remembered];
    private readonly double[] _blockAt = new double[Remembered];
    private double _shortenedAt;
    private long _pending;
    private double _sliceEnds;
    private int _refusedOfSlice;
    private int _refusedOfPending;

    /// <summary>Gets the number of sends so far, which is the index of the next one.</summary>
    public long Count { get; private set; }

    /// <summary>Gets the number of sends, from the first one on, that will not be refused any more.</summary>
    public long Settled { get; private set; }

    /// <summary>Gets the number of sends that were refused.</summary>
    public long Refused { get; private set; }

    /// <summary>Gets the number of sends that have not ended.</summary>
    public int InFlight { get; private set; }

    /// <summary>Gets how many of them are accepted: those that were not refused for as long as refusals take.</summary>
    public long AcceptedInFlight => InFlight - (Count - Settled - RefusedUnsettled);

    /// <summary>Gets how long refusals take, in seconds; 0 before the first one.</summary>
    public double RefusalDelay { get; private set; }

    /// <summary>Gets how many settled sends were refused since one was accepted.</summary>
    public int RefusedRun { get; private set; }

    /// <summary>Gets the number of sends that were refused and are not settled yet: those sent beside them may still be.</summary>
    public int RefusedUnsettled => _refusedOfSlice + _refusedOfPending;

    public SendMark Begin(double now)
    {
        Settle(now);
        if (Count % Block == 0)
        {
            long block = Count / Block % Remembered;
            (_blockAt[block], _refusedOfBlock[block]) = (now, 0);
        }

        return new SendMark(Count++, now, InFlight++);
    }

    /// <summary>Gets how many sends of a block were refused.</summary>
    public int RefusedOf(long block) => _refusedOfBlock[block % Remembered];

    /// <summary>Gets when the first send of a block began.</summary>
    public double BeganAt(long block) => _blockAt[block % Remembered];

    /// <summary>Counts a send that is in flight, and nothing else of it.</summary>
    public void BeginAside() => InFlight++;

    public void End() => InFlight--;

    public void Refuse(in SendMark mark, double now)
    {
        Refused++;
        if (mark.Index >= Count - (Block * (Remembered - 1)))
        {
            _refusedOfBlock[mark.Index / Block % Remembered]++;
        }

        if (_recent.Count == Recent)
        {
            _recent.Dequeue();
        }

        _recent.Enqueue(mark.Index);
        double delay = now - mark.At;
        if (delay <= RefusalDelay)
        {
            if (!seesAll || mark.At >= _shortenedAt)
            {
                RefusalDelay += (delay - RefusalDelay) * (seesAll ? Decay : DecayOfPart);
                _shortenedAt = now;
            }

            CountUnsettled(mark);
            return;
        }

        // The sends after this one are not settled, whatever was assumed.
        RefusalDelay = delay;
        if (mark.Index < Settled)
        {
            Settled = mark.Index + 1;
            _pending = Count;
            _refusedOfSlice = 0;
            _refusedOfPending = CountRecent(mark.Index);
            _sliceEnds = now + delay;
        }
        else
        {
            CountUnsettled(mark);
        }
    }

    /// <summary>Gets when more sends will have settled.</summary>
    public double SettlesAt => _sliceEnds;

    /// <summary>Settles what is old enough.</summary>
    /// <returns>Whether a slice has ended, so that there may be news.</returns>
    public bool Settle(double now)
    {
        if (now < _sliceEnds)
        {
            return false;
        }

        bool all = now >= _sliceEnds + RefusalDelay;
        long sent = (all ? Count : _pending) - Settled;
        int refused = _refusedOfPending + (all ? _refusedOfSlice : 0);
        RefusedRun = sent > refused ? 0 : RefusedRun + refused;
        Settled = all ? Count : _pending;
        _refusedOfPending = all ? 0 : _refusedOfSlice;
        _refusedOfSlice = 0;
        _pending = Count;
        _sliceEnds = now + RefusalDelay;
        return true;
    }

    /// <summary>Gets how many sends there are from the first to the last one that was refused and is not settled yet.</summary>
    public long RefusedSpan
    {
        get
        {
            (long first, long last) = (long.MaxValue, -1);
            foreach (long index in _recent)
            {
                (first, last) = index < Settled ? (first, last) : (Math.Min(first, index), Math.Max(last, index));
            }

            return Math.Max(0, last - first + 1);
        }
    }

    private int CountRecent(long after)
    {
        var count = 0;
        foreach (long index in _recent)
        {
            count += index > after ? 1 : 0;
        }

        return count;
    }

    private void CountUnsettled(in SendMark mark)
    {
        if (mark.Index >= _pending)
        {
            _refusedOfSlice++;
        }
        else if (mark.Index >= Settled)
        {
            _refusedOfPending++;
        }
    }
}
