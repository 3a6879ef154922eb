namespace FastLLM.Admission;

/// <summary>Lets attempts through: no more at once than allowed, none while the provider asks to wait. First come first served, retries first.</summary>
/// <remarks>
/// A lease is held from the send until the answer is in: not while a request backs off, not while its answer is recorded.
/// Limits of requests and tokens per minute join here: what <see cref="EnterAsync"/> waits for is decided in <see cref="MayPass"/>.
/// </remarks>
internal sealed class Gate : IDisposable
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly AdaptiveLimit? _adaptive;
    private readonly ITimer _timer;
    private readonly LinkedList<Waiter> _retries = [];
    private readonly LinkedList<Waiter> _waiters = [];
    private readonly int _ceiling;
    private int _inFlight;
    private long _closedUntil;

    public Gate(int concurrency, bool adaptive, TimeProvider time)
    {
        _ceiling = concurrency;
        _time = time;
        _adaptive = adaptive ? new AdaptiveLimit(concurrency) : null;
        _closedUntil = time.GetTimestamp();
        using (ExecutionContext.SuppressFlow())
        {
            _timer = time.CreateTimer(static state => ((Gate)state!).Open(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Attempts that hold a lease.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How many may hold one at this moment.</summary>
    public int Limit => _adaptive?.Limit ?? _ceiling;

    /// <summary>Waits for a lease. Does not allocate when there is nothing to wait for.</summary>
    /// <param name="isRetry">Whether an earlier attempt of the request failed: it goes first, so that the tail of a run does not grow.</param>
    /// <param name="cancellationToken">Gives up waiting; then no lease is held.</param>
    public ValueTask EnterAsync(bool isRetry, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_gate)
        {
            if (MayPass() && _retries.Count == 0 && (isRetry || _waiters.Count == 0))
            {
                _inFlight++;
                return default;
            }

            waiter = new Waiter();
            waiter.Node = (isRetry ? _retries : _waiters).AddLast(waiter);
        }

        return new ValueTask(WaitAsync(waiter, cancellationToken));
    }

    /// <summary>Gives the lease back, and tells how it went.</summary>
    public void Leave(LeaseEnd end)
    {
        lock (_gate)
        {
            _adaptive?.Ended(end, _inFlight, _waiters.Count + _retries.Count, _time);
            _inFlight--;
            Admit();
        }
    }

    /// <summary>Lets nobody through for a time, since the provider asks for it. The longest wait asked for counts.</summary>
    /// <returns>Whether that is longer than was known.</returns>
    public bool CloseFor(TimeSpan wait)
    {
        lock (_gate)
        {
            long until = _time.GetTimestamp() + (long)Math.Ceiling(wait.TotalSeconds * _time.TimestampFrequency);
            if (until <= _closedUntil)
            {
                return false;
            }

            _closedUntil = until;
            _timer.Change(wait + TimeSpan.FromTicks(1), Timeout.InfiniteTimeSpan);
            return true;
        }
    }

    public void Dispose() => _timer.Dispose();

    private bool MayPass() => _inFlight < Limit && _time.GetTimestamp() >= _closedUntil;

    private void Open()
    {
        lock (_gate)
        {
            long left = _closedUntil - _time.GetTimestamp();
            if (left > 0)
            {
                _timer.Change(TimeSpan.FromSeconds(left / (double)_time.TimestampFrequency) + TimeSpan.FromTicks(1), Timeout.InfiniteTimeSpan);
                return;
            }

            Admit();
        }
    }

    private void Admit()
    {
        while ((_retries.First ?? _waiters.First) is { } first && MayPass())
        {
            first.List!.Remove(first);
            _inFlight++;
            first.Value.Admitted.SetResult();
        }
    }

    private async Task WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            await waiter.Admitted.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                if (waiter.Node!.List is { } list)
                {
                    list.Remove(waiter.Node);
                    throw;
                }
            }

            // Admitted and cancelled at once: the lease is there, and goes back.
            Leave(LeaseEnd.NotUsed);
            throw;
        }
    }

    private sealed class Waiter
    {
        // Continuations run elsewhere: the gate's lock is held when it is completed.
        public TaskCompletionSource Admitted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter>? Node { get; set; }
    }
}
