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
    private readonly RecentRefusals _recent = new();
    private readonly RefusalDelay _delay = new(seesAll);
    private long _pending;
    private double _sliceEnds;
    private int _refusedOfSlice;
    private int _refusedOfPending;

    /// <summary>Gets the sends and refusals in blocks.</summary>
    public SendBlocks Blocks { get; } = new();

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
    public double RefusalDelay => _delay.Seconds;

    /// <summary>Gets how many settled sends were refused since one was accepted.</summary>
    public int RefusedRun { get; private set; }

    /// <summary>Gets the number of sends that were refused and are not settled yet: those sent beside them may still be.</summary>
    public int RefusedUnsettled => _refusedOfSlice + _refusedOfPending;

    public SendMark Begin(double now)
    {
        Settle(now);
        Blocks.Begin(Count, now);
        return new SendMark(Count++, now, InFlight++);
    }

    /// <summary>Counts a send that is in flight, and nothing else of it.</summary>
    public void BeginAside() => InFlight++;

    public void End() => InFlight--;

    public void Refuse(in SendMark mark, double now)
    {
        Refused++;
        Blocks.Refuse(mark.Index, Count);
        _recent.Add(mark);
        if (_delay.TryGrow(mark, now) && mark.Index < Settled)
        {
            // The sends after this one are not settled, whatever was assumed.
            Settled = mark.Index + 1;
            _pending = Count;
            _refusedOfSlice = 0;
            _refusedOfPending = _recent.CountAfter(mark.Index);
            _sliceEnds = now + RefusalDelay;
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
    public long RefusedSpan => _recent.SpanFrom(Settled);

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
