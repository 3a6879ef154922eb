using FastLLM.Retries;

namespace FastLLM.RateLimiting;

/// <summary>Lets the attempts of one model through: no more at once than allowed, no faster than told or learnt, none while the provider asks to wait.</summary>
/// <remarks>
/// First come first served, retries first. A lease is held from the send until the answer is in: not while a request backs off, not while its answer
/// is recorded. What a send waits for is decided in one place, <see cref="BlockOf"/>. Others may close it too (<see cref="CloseFor"/>).
/// </remarks>
internal sealed partial class ModelRateLimiter
{
    private const int PatienceWhereTold = 6;

    private readonly RateLimiters _limiters;
    private readonly LearnedConcurrency? _adaptive;
    private readonly ConfiguredLimits? _configured;
    private readonly LearnedRate _rate;
    private readonly CircuitBreaker _breaker = new();
    private readonly WaitQueue _line = new();
    private ITimer? _timer;
    private double _timerAt = double.PositiveInfinity;
    private double _closedUntil = double.NegativeInfinity;
    private int _inFlight;

    public ModelRateLimiter(RateLimiters limiters, string model, LearnedConcurrency? adaptive, ConfiguredLimits? configured)
    {
        _limiters = limiters;
        Model = model;
        _adaptive = adaptive;
        _configured = configured;
        _rate = new LearnedRate(configured is null ? 1 : PatienceWhereTold);
    }

    public string Model { get; }

    /// <summary>How many may hold a lease at this moment.</summary>
    public int Limit => _adaptive is null ? _limiters.Ceiling : Math.Min(_limiters.Ceiling, Math.Max(_adaptive.Limit, _forRate));

    /// <summary>Whether the headers of good answers are of interest too.</summary>
    public bool WantsHeaders => _configured is not null;

    /// <summary>Sends a second that the provider's refusals taught; infinite where they did not.</summary>
    public double LearnedRate
    {
        get
        {
            lock (_limiters.Lock)
            {
                return _rate.PerSecond;
            }
        }
    }

    /// <summary>Why the first of those who wait must wait, when it was last looked at.</summary>
    internal BlockReason BlockedBy { get; private set; }

    /// <summary>The place of the first of those who wait; retries come before all others.</summary>
    internal long? HeadOrder => _line.First?.Order;

    /// <summary>Makes the lease ready for a request. To be called once, before its first attempt.</summary>
    /// <returns>Why the request can never be sent, or <see langword="null"/>.</returns>
    public LlmException? Prepare(Lease lease, LlmRequest request)
    {
        lease.Limiter = this;
        if (_configured is not { CountsTokens: true })
        {
            return null;
        }

        lease.TokenDemand = TokenDemand.Of(request);
        lock (_limiters.Lock)
        {
            return _configured.Refusal(lease.TokenDemand);
        }
    }

    /// <summary>Waits for a lease. Does not allocate when there is nothing to wait for.</summary>
    /// <param name="lease">Filled with what is set aside.</param>
    /// <param name="isRetry">Whether an earlier attempt of the request failed: it goes first, so that the tail of a run does not grow.</param>
    /// <param name="cancellationToken">Gives up waiting; then no lease is held.</param>
    /// <exception cref="LlmException">The day's requests are used up.</exception>
    public ValueTask EnterAsync(Lease lease, bool isRetry, CancellationToken cancellationToken)
    {
        WaitQueue.Waiter waiter;
        lock (_limiters.Lock)
        {
            double now = _limiters.Now;
            if (_configured?.DayRefusal(now) is { } usedUp)
            {
                return ValueTask.FromException(usedUp);
            }

            if (!_line.IsAheadOf(isRetry))
            {
                BlockedBy = BlockOf(lease, now, out double wait);
                if (BlockedBy == BlockReason.None)
                {
                    Take(lease, now);
                    return default;
                }

                Wake(now, wait);
            }

            waiter = _line.Add(lease, isRetry, _limiters.NextOrder());
            _limiters.Queue(this);
        }

        return new ValueTask(WaitAsync(waiter, cancellationToken));
    }

    /// <summary>Gives the lease back, and tells how it went.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="end">How the send ended.</param>
    /// <param name="usage">The tokens it took, where known.</param>
    /// <param name="wait">How long the provider asks to wait, where it does.</param>
    public void Leave(Lease lease, LeaseEnd end, Usage? usage = null, TimeSpan wait = default)
    {
        lock (_limiters.Lock)
        {
            bool wasDown = _breaker.IsOpen;

            // While all is well nobody has to know what time it is.
            double at = wasDown || lease.MeetsOutage ? _limiters.Now : 0;
            lease.Change = _breaker.Ended(at, end, lease.MeetsOutage, lease.IsProbe);
            lease.WasDown = lease.MeetsOutage && (wasDown || _breaker.IsOpen);
            if (_adaptive is not null || _configured is not null || _rate.IsLearned || end != LeaseEnd.Answered)
            {
                // Of how much a provider takes, an outage says nothing.
                Learn(lease, lease.WasDown && end == LeaseEnd.Overloaded ? LeaseEnd.Failed : end, usage, wait.TotalSeconds);
            }

            _inFlight--;
            _limiters.GaveBack();
            _limiters.Admit();
        }
    }

    /// <summary>Lets nobody through for a time, since the provider asks for it. The longest wait asked for counts.</summary>
    /// <returns>Whether that is longer than was known.</returns>
    public bool CloseFor(TimeSpan wait)
    {
        lock (_limiters.Lock)
        {
            double now = _limiters.Now;
            double until = now + wait.TotalSeconds;
            if (until <= _closedUntil)
            {
                return false;
            }

            _closedUntil = until;
            _limiters.Admit();
            return true;
        }
    }

    /// <summary>The timer: something that was waited for may be there.</summary>
    internal void Open()
    {
        lock (_limiters.Lock)
        {
            _timerAt = double.PositiveInfinity;
            _limiters.Admit();
        }
    }

    internal void StopTimer()
    {
        _timer?.Dispose();
        _timer = null;
    }

    /// <summary>Whether the first of those who wait may pass; if only time can tell, the timer is set.</summary>
    internal bool HeadMayPass(double now)
    {
        if (_configured?.DayRefusal(now) is { } usedUp)
        {
            _line.Refuse(usedUp);
            return false;
        }

        if (_breaker.Age(now) > _limiters.LongestOutage)
        {
            _line.Refuse(StillDown());
            return false;
        }

        BlockedBy = BlockOf(_line.First!.Lease, now, out double wait);
        if (BlockedBy != BlockReason.None)
        {
            Wake(now, wait);
        }

        return BlockedBy == BlockReason.None;
    }

    internal void AdmitHead(double now)
    {
        WaitQueue.Waiter first = _line.First!;
        WaitQueue.Remove(first);
        Take(first.Lease, now);
        first.Admitted.SetResult();
    }

    private BlockReason BlockOf(Lease lease, double now, out double wait)
    {
        if (now < _closedUntil)
        {
            wait = _closedUntil - now;
            return BlockReason.Closed;
        }

        wait = _breaker.Wait(now);
        if (wait > 0)
        {
            return BlockReason.Closed;
        }

        wait = double.PositiveInfinity;
        if (_limiters.IsFull || _inFlight >= Limit)
        {
            return BlockReason.Concurrency;
        }

        wait = _rate.Wait(now);
        BlockReason block = wait > 0 ? BlockReason.Requests : BlockReason.None;
        if (_configured is not null)
        {
            double told = _configured.Wait(now, lease, out BlockReason ofBudget);
            if (told > wait)
            {
                wait = told;
                block = ofBudget;
            }
        }

        return block;
    }

    private void Take(Lease lease, double now)
    {
        lease.Since = now;
        lease.Headers = null;
        lease.MeetsOutage = lease.WasDown = false;
        lease.IsProbe = _breaker.Take();
        _inFlight++;
        _limiters.Took();
        _rate.Sent(now);
        _configured?.Take(now, lease);
    }

    private LlmException StillDown() => new(
        FailureKind.Overloaded, $"The provider has been down for more than {TimeSpan.FromSeconds(_limiters.LongestOutage)} ({nameof(RequestManagerOptions.MaxThrottleWait)}).")
    {
        FailureScope = FailureScope.Everybody,
    };

    // Whole milliseconds, upwards: the system's timers know no others, and one that fires too early would only have to be set again.
    private void Wake(double now, double wait)
    {
        double at = now + wait;
        if (double.IsPositiveInfinity(wait) || (_timerAt <= at && _timerAt > now))
        {
            return;
        }

        _timer ??= _limiters.CreateTimer(this);
        _timerAt = at;
        _timer?.Change(TimeSpan.FromMilliseconds(Math.Ceiling(Math.Min(wait, 86_400) * 1000)), Timeout.InfiniteTimeSpan);
    }

    private async Task WaitAsync(WaitQueue.Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            await waiter.Admitted.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            lock (_limiters.Lock)
            {
                if (WaitQueue.Remove(waiter))
                {
                    // Who comes next may need less than this one did.
                    _limiters.Admit();
                    throw;
                }
            }

            // Admitted and cancelled at once: the lease is there, and goes back.
            if (waiter.Admitted.Task.IsCompletedSuccessfully)
            {
                Leave(waiter.Lease, LeaseEnd.NotUsed);
            }

            throw;
        }
    }
}
