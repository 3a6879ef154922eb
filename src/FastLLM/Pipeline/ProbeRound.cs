namespace FastLLM.Pipeline;

/// <summary>Represents a round of probes: for a while rows are read ahead, then some of them are sent, which decides about one group of
/// suspects.</summary>
/// <remarks>Not safe for concurrent use: the lock of the <see cref="SharedFailureDetector"/> guards it.</remarks>
/// <param name="time">The clock.</param>
/// <param name="readAhead">Called when enough rows were read ahead, without the lock.</param>
internal sealed class ProbeRound(TimeProvider time, Action readAhead)
{
    /// <summary>How long rows are read ahead.</summary>
    public static readonly TimeSpan ReadAheadTime = TimeSpan.FromSeconds(1);

    private ITimer? _timer;
    private SuspectGroup? _group;
    private bool _isProlonged;

    /// <summary>Gets a value indicating whether rows are being read ahead.</summary>
    public bool IsReadingAhead { get; private set; }

    /// <summary>Gets a value indicating whether the round has begun and not ended.</summary>
    public bool IsUnderWay => IsReadingAhead || _group is not null;

    /// <summary>Begins a round, or prolongs the time in which rows are read ahead.</summary>
    public void ReadAhead()
    {
        _timer?.Dispose();
        _timer = time.CreateTimer(static call => ((Action)call!)(), readAhead, ReadAheadTime, Timeout.InfiniteTimeSpan);
        _isProlonged &= IsReadingAhead;
        (IsReadingAhead, _group) = (true, null);
    }

    /// <summary>Returns whether the time in which rows are read ahead may be prolonged for better probes, which it may once.</summary>
    public bool TryProlong() => !_isProlonged && (_isProlonged = true);

    /// <summary>Notes that the rows that were read ahead are probes of a group now.</summary>
    public void Probe(SuspectGroup group) => (IsReadingAhead, _group) = (false, group);

    /// <summary>Ends the round.</summary>
    /// <param name="group">A group.</param>
    /// <returns>Whether the probes were those of the group.</returns>
    public bool End(SuspectGroup? group = null)
    {
        bool isProbed = group is not null && _group == group;
        (IsReadingAhead, _group) = (false, null);
        return isProbed;
    }

    /// <summary>Stops the clock of the round: no other one begins.</summary>
    public void Stop() => _timer?.Dispose();
}
