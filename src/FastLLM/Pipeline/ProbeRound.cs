namespace FastLLM.Pipeline;

/// <summary>Represents a round of probes: for a while rows are read ahead, then some of them are sent, which decides about one group of
/// suspects.</summary>
/// <remarks>Not safe for concurrent use: the lock of the <see cref="SharedFailureDetector"/> guards it.</remarks>
/// <param name="time">The clock.</param>
/// <param name="later">Runs an action after all workers that are ready. Timers come first on a busy machine, so that few rows would have
/// been read, all of them next to those that failed.</param>
/// <param name="readAhead">Called without the lock while rows are read ahead: <see cref="TryEndReading"/> says whether they are
/// enough.</param>
internal sealed class ProbeRound(TimeProvider time, Action<Action> later, Action readAhead)
{
    /// <summary>How long rows are read ahead, at least.</summary>
    public static readonly TimeSpan ReadAheadTime = TimeSpan.FromSeconds(1);

    /// <summary>How long no row comes until it is taken that none will.</summary>
    public static readonly TimeSpan PauseOfSource = TimeSpan.FromMilliseconds(250);

    // A source that gives one row after the other is not waited for longer than five seconds.
    private const int MaxPauses = 17;

    // So long a decision waits for rows that others in flight keep from being read.
    private static readonly TimeSpan s_longestReading = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_longestIdleReading = TimeSpan.FromSeconds(10);

    private ITimer? _timer;
    private SuspectGroup? _group;
    private bool _isProlonged;
    private int _pauses;
    private int _heldBefore;
    private long? _mark;
    private long _beganAt;

    /// <summary>Gets a value indicating whether rows are being read ahead.</summary>
    public bool IsReadingAhead { get; private set; }

    /// <summary>Gets a value indicating whether the round has begun and not ended.</summary>
    public bool IsUnderWay => IsReadingAhead || _group is not null;

    /// <summary>Begins a round, or prolongs the time in which rows are read ahead.</summary>
    public void ReadAhead()
    {
        Wait(ReadAheadTime - PauseOfSource);
        if (!IsReadingAhead)
        {
            (_isProlonged, _mark, _beganAt) = (false, null, time.GetTimestamp());
        }

        (IsReadingAhead, _group, _pauses, _heldBefore) = (true, null, 0, 0);
    }

    /// <summary>Returns whether the time has passed and no more rows come. If not, it is asked again after a pause.</summary>
    /// <param name="held">How many requests are held now.</param>
    /// <param name="isSlow">Whether the source lets its reader wait for a row. If not, the machine is busy, and more rows will be
    /// read.</param>
    public bool TryEndReading(int held, bool isSlow)
    {
        bool isStill = _pauses > 0 && held == _heldBefore;
        if (isStill || _pauses >= MaxPauses)
        {
            return true;
        }

        _pauses += isSlow || _pauses == 0 ? 1 : 0;
        _heldBefore = held;
        Wait(PauseOfSource);
        return false;
    }

    /// <summary>Returns the number of the last row that was known when the round had read for a while: what comes later is from further
    /// on.</summary>
    /// <param name="last">The number of the last row that is known now.</param>
    public long Mark(long last) => _mark ??= last;

    /// <summary>Returns whether the round has lasted too long to read on.</summary>
    /// <param name="isIdle">Whether nothing is in flight that keeps rows from being read.</param>
    public bool IsLong(bool isIdle) => time.GetElapsedTime(_beganAt) > (isIdle ? s_longestIdleReading : s_longestReading);

    /// <summary>Returns whether the time in which rows are read ahead may be prolonged for better probes, which it may once.</summary>
    public bool TryProlong() => !_isProlonged && (_isProlonged = true);

    /// <summary>Notes that the rows that were read ahead are probes of a group now.</summary>
    public void Probe(SuspectGroup group)
    {
        Stop();
        (IsReadingAhead, _group) = (false, group);
    }

    /// <summary>Ends the round.</summary>
    /// <param name="group">A group.</param>
    /// <returns>Whether the probes were those of the group.</returns>
    public bool End(SuspectGroup? group = null)
    {
        Stop();
        bool isProbed = group is not null && _group == group;
        (IsReadingAhead, _group) = (false, null);
        return isProbed;
    }

    /// <summary>Stops the clock of the round.</summary>
    public void Stop()
    {
        _timer?.Dispose();
        _timer = null;
    }

    private void Wait(TimeSpan duration)
    {
        Stop();
        _timer = time.CreateTimer(_ => later(readAhead), null, duration, Timeout.InfiniteTimeSpan);
    }
}
