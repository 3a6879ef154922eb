using FastLLM.Pipeline;

namespace FastLLM.TestKit;

/// <summary>A clock that moves only when told to. Timers are kept in a heap, so that 100,000 waiters are cheap.</summary>
/// <remarks>
/// <para>The timestamp frequency is odd on purpose: code that takes timestamps for ticks, or trusts <c>GetElapsedTime</c> to the last tick, shows it.</para>
/// <para>Thread-safe. Callbacks run on the thread that advances the clock, outside of any lock, with the clock at their own due time;
/// those due at once (a due time of zero) run on the thread pool, as with the system's clock.</para>
/// </remarks>
public sealed class ManualTimeProvider : TimeProvider
{
    private const long Frequency = 10_000_019;
    private const long FirstTimestamp = 987_654_321; // a machine has been up before the test

    private readonly Lock _gate = new();
    private readonly DateTimeOffset _start;
    private readonly Gauge _active = new();
    private PriorityQueue<(ManualTimer Timer, long Version), (long Due, long Order)> _heap = new(); // holds outdated entries too
    private long _now; // ticks since _start
    private long _order;

    public ManualTimeProvider(DateTimeOffset? start = null) => _start = start ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => Frequency;

    /// <summary>How far the clock was advanced since it was made.</summary>
    public TimeSpan Elapsed => TimeSpan.FromTicks(Interlocked.Read(ref _now));

    /// <summary>How many timers are armed.</summary>
    public int ActiveTimers => _active.Value;

    /// <summary>How long until the next timer is due; null when none is armed.</summary>
    public TimeSpan? NextDue
    {
        get
        {
            lock (_gate)
            {
                return Peek(out long due) ? TimeSpan.FromTicks(Math.Max(0, due - _now)) : null;
            }
        }
    }

    public override DateTimeOffset GetUtcNow() => _start + Elapsed;

    public override long GetTimestamp() => FirstTimestamp + (long)((Int128)Interlocked.Read(ref _now) * Frequency / TimeSpan.TicksPerSecond);

    /// <summary>Moves the clock on and fires what falls due on the way, in order of due time, then of arming.</summary>
    public void Advance(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        long target;
        lock (_gate)
        {
            target = _now + time.Ticks;
        }

        while (true)
        {
            ManualTimer timer;
            lock (_gate)
            {
                if (!Peek(out long due) || due > target)
                {
                    Interlocked.Exchange(ref _now, Math.Max(_now, target));
                    return;
                }

                timer = _heap.Dequeue().Timer;
                Interlocked.Exchange(ref _now, Math.Max(_now, due));
                Disarm(timer);
                if (timer.Period > 0)
                {
                    Arm(timer, due + timer.Period);
                }
            }

            timer.Fire();
        }
    }

    /// <summary>Moves the clock to the next due timer and fires all that are due then.</summary>
    /// <returns>False, and the clock stays, when no timer is armed.</returns>
    public bool AdvanceToNext()
    {
        if (NextDue is not { } wait)
        {
            return false;
        }

        Advance(wait);
        return true;
    }

    /// <summary>Completes when at least <paramref name="count"/> timers are armed: the way to wait for code that is about to wait.</summary>
    public Task WaitForTimersAsync(int count, CancellationToken cancellationToken = default) => _active.WaitForAsync(count, cancellationToken);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private bool Change(ManualTimer timer, TimeSpan dueTime, TimeSpan period)
    {
        long due = Ticks(dueTime, nameof(dueTime));
        long every = Ticks(period, nameof(period));
        lock (_gate)
        {
            if (timer.Disposed)
            {
                return false;
            }

            Disarm(timer);
            timer.Period = Math.Max(0, every); // zero and infinite both mean once
            if (due > 0)
            {
                Arm(timer, _now + due);
            }
            else if (due == 0 && timer.Period > 0)
            {
                Arm(timer, _now + timer.Period);
            }
        }

        if (due == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static t => t.Fire(), timer, preferLocal: false);
        }

        return true;
    }

    private void Dispose(ManualTimer timer)
    {
        lock (_gate)
        {
            timer.Disposed = true;
            Disarm(timer);
        }
    }

    private void Arm(ManualTimer timer, long due)
    {
        timer.Armed = true;
        _heap.Enqueue((timer, timer.Version), (due, _order++));
        _active.Add(1);
    }

    private void Disarm(ManualTimer timer)
    {
        timer.Version++;
        if (!timer.Armed)
        {
            return;
        }

        timer.Armed = false;
        _active.Add(-1);

        // Timers that are mostly cancelled (time-outs) must not pile up until they would have been due.
        if (_heap.Count > 64 && _heap.Count > 4 * _active.Value)
        {
            _heap = new(_heap.UnorderedItems.Where(item => item.Element.Version == item.Element.Timer.Version));
        }
    }

    private bool Peek(out long due)
    {
        while (_heap.TryPeek(out (ManualTimer Timer, long Version) entry, out (long Due, long Order) at))
        {
            if (entry.Version == entry.Timer.Version)
            {
                due = at.Due;
                return true;
            }

            _heap.Dequeue();
        }

        due = 0;
        return false;
    }

    private static long Ticks(TimeSpan time, string name)
    {
        if (time == Timeout.InfiniteTimeSpan)
        {
            return -1;
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero, name);
        return time.Ticks;
    }

    private sealed class ManualTimer(ManualTimeProvider owner, TimerCallback callback, object? state) : ITimer
    {
        private readonly ExecutionContext? _context = ExecutionContext.Capture();

        public long Version { get; set; }

        public long Period { get; set; }

        public bool Armed { get; set; }

        public bool Disposed { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period) => owner.Change(this, dueTime, period);

        public void Fire()
        {
            if (Disposed)
            {
                return;
            }

            if (_context is null)
            {
                callback(state);
            }
            else
            {
                ExecutionContext.Run(_context, static self => ((ManualTimer)self!).Call(), this);
            }
        }

        public void Dispose() => owner.Dispose(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Call() => callback(state);
    }
}
