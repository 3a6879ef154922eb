namespace FastLLM.Providers;

/// <summary>Watches the deadlines of all attempts of a manager with one timer.</summary>
/// <remarks>
/// The timer is set to the earliest known deadline, and then checks all attempts. Most deadlines move further away before they
/// are due, so that the timer fires about once per timeout, not once per send.
/// </remarks>
internal sealed class AttemptClock : IDisposable
{
    /// <summary>The deadline of an attempt without a send.</summary>
    public const long Never = long.MaxValue;

    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(20);

    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _gate = new();
    private readonly List<Attempt> _attempts = [];
    private long _due = Never;

    public AttemptClock(TimeProvider time)
    {
        _time = time;
        using (ExecutionContext.SuppressFlow())
        {
            _timer = time.CreateTimer(
                static state => ((AttemptClock)state!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Gets the present timestamp.</summary>
    public long Now => _time.GetTimestamp();

    /// <summary>Gets the timestamp <paramref name="span"/> after <paramref name="start"/>.</summary>
    public long After(long start, TimeSpan span)
    {
        if (span == Timeout.InfiniteTimeSpan)
        {
            return Never;
        }

        double ticks = span.TotalSeconds * _time.TimestampFrequency;
        return ticks >= long.MaxValue / 2 ? Never : start + (long)Math.Ceiling(ticks);
    }

    /// <summary>Gets the time since a timestamp.</summary>
    public TimeSpan Elapsed(long since) => _time.GetElapsedTime(since);

    public void Add(Attempt attempt)
    {
        lock (_gate)
        {
            _attempts.Add(attempt);
        }
    }

    /// <summary>Lets the timer fire no later than <paramref name="deadline"/>. Call it after writing the deadline.</summary>
    public void Watch(long deadline)
    {
        if (deadline < Volatile.Read(ref _due))
        {
            lock (_gate)
            {
                Arm(deadline);
            }
        }
    }

    /// <summary>Stops the timer if no attempt is under way: an idle manager must not be kept alive by it.</summary>
    public void Rest()
    {
        lock (_gate)
        {
            Interlocked.Exchange(ref _due, Never);
            long next = Never;
            foreach (Attempt attempt in _attempts)
            {
                next = Math.Min(next, attempt.Deadline);
            }

            if (next == Never)
            {
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }

            Arm(next);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_gate)
        {
            // Reset first, then check: a deadline that is written now is either seen below, or its writer finds Never and arms the timer.
            Interlocked.Exchange(ref _due, Never);
            long now = Now;
            long next = Never;
            foreach (Attempt attempt in _attempts)
            {
                long deadline = attempt.Deadline;
                if (deadline <= now)
                {
                    attempt.ExpireAt(now);
                }
                else
                {
                    next = Math.Min(next, deadline);
                }
            }

            Arm(next);
        }
    }

    private void Arm(long deadline)
    {
        if (deadline >= _due)
        {
            return;
        }

        Volatile.Write(ref _due, deadline);
        TimeSpan wait = TimeSpan.FromSeconds(Math.Max(0, deadline - Now) / (double)_time.TimestampFrequency) + TimeSpan.FromTicks(1);
        _timer.Change(wait < LongestTimer ? wait : LongestTimer, Timeout.InfiniteTimeSpan);
    }
}
