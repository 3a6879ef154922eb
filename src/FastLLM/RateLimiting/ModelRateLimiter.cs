namespace FastLLM.RateLimiting;

/// <summary>Admits the sends of one model: no more at once and no faster than configured or learned, and none while the provider asks to
/// wait.</summary>
/// <remarks>First come, first served; retries first. A lease is held from the send until the response is in, not while a request backs off
/// and not while its answer is recorded. <see cref="BlockOf"/> is the one place that decides what a send waits for.</remarks>
internal sealed class ModelRateLimiter
{
    // Long because everything that a send may wait for is decided and settled here.
    private readonly RateLimiters _limiters;
    private readonly LearningLimiter _learned;
    private readonly LearnedShare? _share;
    private readonly ConfiguredLimits? _configured;
    private readonly CircuitBreaker _breaker = new();
    private readonly WaitQueue _queue = new();
    private double _closedUntil = double.NegativeInfinity;
    private int _shownLimit;
    private bool _wasActive;

    public ModelRateLimiter(RateLimiters limiters, string model, bool slowStart, ConfiguredLimits? configured)
    {
        _limiters = limiters;
        Model = model;
        _configured = configured;
        _learned = new LearningLimiter(limiters.Concurrency, slowStart, seesAll: !limiters.IsShared);
        _share = limiters.IsShared ? new LearnedShare(_learned) : null;
        _shownLimit = _learned.Limit;
        Timer = new WakeTimer(limiters.Time, this);
    }

    /// <summary>Gets the model.</summary>
    public string Model { get; }

    /// <summary>Gets how many may hold a lease now.</summary>
    public int Limit => _learned.Limit;

    /// <summary>Gets a value indicating whether the headers of successful responses matter too.</summary>
    public bool WantsHeaders => _configured is not null;

    /// <summary>Gets the law by which the provider refuses, as far as it is known. Under the lock of <see cref="RateLimiters"/>.</summary>
    public ThrottlingLaw Law => _learned.Law;

    /// <summary>Gets why the first waiter had to wait when it was last looked at.</summary>
    internal BlockReason BlockedBy { get; private set; }

    /// <summary>Gets the place of the first waiter; retries come before all others.</summary>
    internal long? HeadOrder => _queue.First?.Order;

    /// <summary>Gets how many requests wait. Under the lock of <see cref="RateLimiters"/>.</summary>
    internal int Waiters => _queue.Count;

    /// <summary>Gets a value indicating whether the provider is down. Under the lock of <see cref="RateLimiters"/>.</summary>
    internal bool IsDown => _breaker.IsOpen;

    /// <summary>Gets the configured limits, if there are any. Under the lock of <see cref="RateLimiters"/>.</summary>
    internal ConfiguredLimits? Configured => _configured;

    /// <summary>Prepares a lease for a request. Call it once, before the first attempt.</summary>
    /// <returns>Why the request can never be sent, or <see langword="null"/>.</returns>
    public LlmException? Prepare(RateLease lease, LlmRequest request)
    {
        lease.Limiter = this;
        if (_configured is not { CountsTokens: true })
        {
            return null;
        }

        lease.Tokens.Demand = TokenDemand.Of(request);
        lock (_limiters.Lock)
        {
            return _configured.Refusal(lease.Tokens.Demand);
        }
    }

    /// <summary>Reports to those who share the limits of the model; <see langword="null"/> while nothing is sent.</summary>
    /// <param name="now">The time.</param>
    /// <param name="isLast">Whether it is the last report, which is never omitted.</param>
    public ModelReport? Report(double now, bool isLast)
    {
        bool isWaiting = Waiters > 0 && BlockedBy is BlockReason.Requests or BlockReason.Tokens or BlockReason.Concurrency;
        bool isActive = Waiters > 0 || _learned.InFlight > 0;
        if (!isActive && !_wasActive && !isLast)
        {
            return null;
        }

        _wasActive = isActive;
        IReadOnlyList<MinuteLimit?> minutes = _configured?.Minutes ?? [];
        bool isLimited = isWaiting && BlockedBy != BlockReason.Concurrency;
        return new ModelReport(
            Model, now, [.. minutes.Select(limit => limit?.Report(now, isLimited))], _configured?.PerDay, _configured?.OfDay ?? 0,
            _share!.Report(now, isWaiting));
    }

    /// <summary>Takes the share of this process.</summary>
    public void Grant(double from, double now, ModelGrant grant)
    {
        _configured?.Grant(from, now, grant);
        _share!.Grant(now, grant.Learned);
        Show();
    }

    /// <summary>Waits for a lease. Does not allocate if there is nothing to wait for.</summary>
    /// <param name="lease">Receives what is reserved.</param>
    /// <param name="isRetry">Whether an earlier attempt of the request failed: it goes first, so that the tail of a run does not
    /// grow.</param>
    /// <param name="cancellationToken">Ends the wait; then no lease is held.</param>
    /// <exception cref="LlmException">The day's requests are used up.</exception>
    public ValueTask EnterAsync(RateLease lease, bool isRetry, CancellationToken cancellationToken)
    {
        WaitQueue.Waiter waiter;
        lock (_limiters.Lock)
        {
            double now = _limiters.Now;
            if (_configured?.DayRefusal(now) is { } usedUp)
            {
                return ValueTask.FromException(usedUp);
            }

            lease.IsRetry = isRetry;
            if (!_queue.IsAheadOf(isRetry))
            {
                BlockedBy = BlockOf(lease, now, out double wait);
                if (BlockedBy == BlockReason.None)
                {
                    Take(lease, now);
                    return default;
                }

                Timer.Set(now, wait);
            }

            waiter = _queue.Add(lease, isRetry, _limiters.NextOrder());
            _limiters.Queue(this);
        }

        return new ValueTask(WaitAsync(waiter, cancellationToken));
    }

    /// <summary>Notes that the request of a lease was written; call it only if <see cref="WantsHeaders"/>.</summary>
    public void Sent(RateLease lease)
    {
        lock (_limiters.Lock)
        {
            _configured?.Sent(_limiters.Now, lease);
            _limiters.Admit();
        }
    }

    /// <summary>Returns a lease, and learns from how the send ended.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="end">How the send ended.</param>
    /// <param name="usage">The tokens it used, if known.</param>
    /// <param name="wait">How long the provider asks to wait, if it does.</param>
    public void Leave(RateLease lease, LeaseEnd end, Usage? usage = null, TimeSpan wait = default)
    {
        lock (_limiters.Lock)
        {
            bool wasDown = _breaker.IsOpen;

            // While all is well, the time need not be read.
            bool isNews = end != LeaseEnd.Answered || wasDown || _configured is not null || _share is not null || _learned.NeedsTime;
            double now = isNews ? _limiters.Now : 0;
            lease.Change = _breaker.Ended(now, end, lease.MeetsOutage, lease.IsProbe);
            lease.WasDown = lease.MeetsOutage && (wasDown || _breaker.IsOpen);
            if (lease.Change == BreakerChange.Opened)
            {
                Forgive(now);
            }

            Learn(lease, end, now, wait.TotalSeconds);
            _queue.Ended(_breaker.IsOpen || _learned.IsClosed, isRetryAnswered: lease.IsRetry && end == LeaseEnd.Answered);
            _configured?.Ended(now, lease, end, usage);
            _limiters.GaveBack();
            _limiters.Admit();
        }
    }

    /// <summary>Admits nothing for a time, since nothing is left of a limit that all requests share. The longest wait counts.</summary>
    /// <returns>Whether that is longer than was known.</returns>
    public bool CloseFor(TimeSpan wait)
    {
        lock (_limiters.Lock)
        {
            double now = _limiters.Now;
            double until = now + wait.TotalSeconds;
            bool isLonger = until > _closedUntil;
            _closedUntil = Math.Max(_closedUntil, until);
            _limiters.Admit();
            return isLonger;
        }
    }

    /// <summary>Called by the timer: the first waiter may be able to pass.</summary>
    internal void Open()
    {
        lock (_limiters.Lock)
        {
            Timer.Fired();
            _limiters.Admit();
        }
    }

    /// <summary>Gets the timer; set only while a request waits.</summary>
    internal WakeTimer Timer { get; }

    /// <summary>Returns whether the first waiter may pass; if that is a matter of time, sets the timer.</summary>
    internal bool HeadMayPass(double now)
    {
        if (_configured?.DayRefusal(now) is { } usedUp)
        {
            _queue.Refuse(usedUp);
            return false;
        }

        if (_breaker.Age(now) > _limiters.LongestOutage)
        {
            _queue.Refuse(StillDown());
            return false;
        }

        BlockedBy = BlockOf(_queue.First!.Lease, now, out double wait);
        if (BlockedBy == BlockReason.None)
        {
            return true;
        }

        Timer.Set(now, wait);
        return false;
    }

    internal void AdmitHead(double now)
    {
        WaitQueue.Waiter first = _queue.RemoveFirst();
        Take(first.Lease, now);
        first.Admitted.SetResult();
    }

    private BlockReason BlockOf(RateLease lease, double now, out double wait)
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
        if (_limiters.IsFull)
        {
            return BlockReason.Concurrency;
        }

        wait = _share is null ? _learned.Wait(now, out BlockReason block) : _share.Wait(now, out block);
        Show();
        if (_share is { IsNew: true })
        {
            _limiters.WantPermits();
        }

        if (_configured is not null)
        {
            double configured = _configured.Wait(now, lease, out BlockReason reason);
            if (configured > wait)
            {
                wait = configured;
                block = reason;
            }

            if (_configured.IsShort)
            {
                _limiters.WantPermits();
            }
        }

        return block;
    }

    private void Take(RateLease lease, double now)
    {
        lease.Since = now;
        lease.Headers = null;
        lease.RetryAfter = null;
        lease.MeetsOutage = lease.WasDown = false;
        lease.IsProbe = _breaker.Take();
        lease.Mark = _share?.Sent(now) ?? _learned.Sent(now);
        _limiters.Took();
        _configured?.Take(now, lease);
    }

    // An outage says nothing about how much a provider accepts.
    private void Learn(RateLease lease, LeaseEnd end, double now, double wait)
    {
        bool isRefused = end == LeaseEnd.Throttled || (end == LeaseEnd.Overloaded && !lease.WasDown);
        if (_share is not null)
        {
            _share.Ended(lease.Mark, now, isRefused, end == LeaseEnd.Answered, wait);
        }
        else
        {
            _learned.Ended(lease.Mark, now, isRefused, end == LeaseEnd.Answered, wait);
        }

        lease.MeetsNoise = _learned.Law.IsOnlyRandom;
        Show();
    }

    private void Forgive(double now)
    {
        if (_share is null)
        {
            _learned.Forgive(now);
        }
        else
        {
            _share.Forgive(now);
        }
    }

    private void Show()
    {
        if (_learned.Limit != _shownLimit)
        {
            _shownLimit = _learned.Limit;
            _limiters.Measure();
        }
    }

    private LlmException StillDown() => LlmException.OfRun(
        FailureKind.Overloaded,
        $"The provider has been down for more than {TimeSpan.FromSeconds(_limiters.LongestOutage)} (MaxThrottleWait).");

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
                    // The next waiter may need fewer tokens.
                    _limiters.Admit();
                    throw;
                }
            }

            // Admitted and canceled at the same time: the lease goes back.
            if (waiter.Admitted.Task.IsCompletedSuccessfully)
            {
                Leave(waiter.Lease, LeaseEnd.NotUsed);
            }

            throw;
        }
    }
}
