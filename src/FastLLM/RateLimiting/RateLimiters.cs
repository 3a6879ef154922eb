using System.Collections.Concurrent;

namespace FastLLM.RateLimiting;

/// <summary>The limiters of a manager, one for each model, under one ceiling of requests in flight.</summary>
/// <remarks>A manager has one base URL and one key, so the model is what limits differ by. One lock guards all limiters: it is held for a
/// few hundred nanoseconds, and a slot that one model leaves may be what another one waits for.</remarks>
internal sealed class RateLimiters : IDisposable
{
    // Long because what concerns all models is done under one lock.
    // Many fields because all models share one ceiling, one clock and one place to announce what is sent.
    private const int MaxModels = 1_000;
    private const double CeilingRisesEvery = 5;

    // No longer wait for the next day's requests: it is better to stop, and to resume tomorrow.
    private static readonly TimeSpan MaxDayWait = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, ModelRateLimiter> _limiters = new(StringComparer.Ordinal);
    private readonly List<ModelRateLimiter> _queued = [];
    private readonly TimeProvider _time;
    private readonly RateLimits? _configured;
    private readonly TimeSpan _maxDayWait;
    private readonly bool _adaptive;
    private readonly long _start;
    private Action<SentMinute>? _announce;
    private Action? _wantPermits;
    private ModelRateLimiter? _last;
    private long _order;
    private int _inFlight;
    private int _limit;
    private int _blockedBy;
    private bool _isHeld;

    /// <param name="concurrency">The most in flight over all models.</param>
    /// <param name="adaptive">Whether the number in flight, for each model, follows what the provider takes.</param>
    /// <param name="time">The clock.</param>
    /// <param name="configured">The configured limits of each model.</param>
    /// <param name="maxDayWait">How long to wait for the next day's requests, rather than give up.</param>
    /// <param name="longestOutage">How long a provider may be down before waiters are refused; <see langword="null"/> for no limit.</param>
    public RateLimiters(
        int concurrency, bool adaptive, TimeProvider time, RateLimits? configured = null,
        TimeSpan maxDayWait = default, TimeSpan? longestOutage = null)
    {
        LongestOutage = longestOutage?.TotalSeconds ?? double.PositiveInfinity;
        Ceiling = HighestCeiling = Concurrency = concurrency;
        _adaptive = adaptive;
        _time = time;
        _configured = configured;
        _maxDayWait = maxDayWait;
        _start = time.GetTimestamp();
        _limit = new InFlightCap(concurrency, adaptive).Value;
    }

    /// <summary>Creates the limiters of a manager.</summary>
    public static RateLimiters Create(RequestManagerOptions options) => new(
        options.Concurrency,
        options.AdaptiveConcurrency,
        options.TimeProvider,
        options.RateLimits,
        options.MaxThrottleWait < MaxDayWait ? options.MaxThrottleWait : MaxDayWait,
        options.MaxThrottleWait);

    /// <summary>Attempts that hold a lease.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How many may hold one at this moment.</summary>
    public int Limit => Volatile.Read(ref _limit);

    /// <summary>Gets why the first waiter waits; <see cref="BlockReason.None"/> without waiters.</summary>
    public BlockReason BlockedBy => (BlockReason)Volatile.Read(ref _blockedBy);

    internal Lock Lock { get; } = new();

    /// <summary>Gets how many may be in flight unless the ceiling is lower.</summary>
    internal int Concurrency { get; }

    internal int Ceiling { get; private set; }

    private int HighestCeiling { get; set; }

    private double CeilingChangedAt { get; set; }

    internal double LongestOutage { get; }

    internal TimeProvider Time => _time;

    /// <summary>Gets the seconds since the limiters were created, on a monotonic clock.</summary>
    internal double Now => _time.GetElapsedTime(_start).TotalSeconds;

    internal bool IsFull => _isHeld || _inFlight >= Ceiling;

    /// <summary>The limiter of a model.</summary>
    public ModelRateLimiter Of(string? model)
    {
        model ??= "";
        ModelRateLimiter? last = Volatile.Read(ref _last);
        if (last is not null && (ReferenceEquals(last.Model, model) || string.Equals(last.Model, model, StringComparison.Ordinal)))
        {
            return last;
        }

        if (!_limiters.TryGetValue(model, out ModelRateLimiter? limiter))
        {
            // Names come from the input: those beyond any sensible number share a limiter, rather than use up memory.
            limiter = _limiters.GetOrAdd(_limiters.Count < MaxModels ? model : "", Create);
            lock (Lock)
            {
                Measure();
            }
        }

        Volatile.Write(ref _last, limiter);
        return limiter;
    }

    /// <summary>Admits nothing of any model for a time.</summary>
    /// <returns>Whether that is longer than was known for any.</returns>
    public bool CloseAllFor(TimeSpan wait)
    {
        var isNews = false;
        foreach (ModelRateLimiter limiter in _limiters.Values)
        {
            isNews |= limiter.CloseFor(wait);
        }

        return isNews;
    }

    /// <summary>Allows fewer in flight than there are now, since the process has no file descriptor for more. The ceiling rises again by
    /// itself.</summary>
    public void LowerCeiling()
    {
        lock (Lock)
        {
            // Sends that fail together lower it once.
            double now = Now;
            if (Ceiling == HighestCeiling || now - CeilingChangedAt >= 1)
            {
                CeilingChangedAt = now;
                SetCeiling(Math.Max(1, Math.Min(Ceiling, _inFlight) * 3 / 4));
            }
        }
    }

    /// <summary>Changes how many sends may be in flight over all models. What is in flight is not affected.</summary>
    public void ChangeCeiling(int ceiling)
    {
        lock (Lock)
        {
            HighestCeiling = ceiling;
            SetCeiling(ceiling);
            Admit();
        }
    }

    /// <summary>Admits no sends, or admits them again. What is in flight is not affected.</summary>
    public void Hold(bool isHeld)
    {
        lock (Lock)
        {
            _isHeld = isHeld;
            Admit();
        }
    }

    /// <summary>Counts what earlier processes have sent in the last minute and day, and announces what this one sends.</summary>
    /// <param name="sent">What they have sent, by model.</param>
    /// <param name="age">How long ago they said so, in seconds.</param>
    /// <param name="announce">Called about once a second with what is sent, under the lock of the limiters.</param>
    public void Continue(IReadOnlyList<SentMinute> sent, double age, Action<SentMinute> announce)
    {
        foreach (SentMinute model in sent)
        {
            ConfiguredLimits? limits = Of(model.Model).Configured;
            lock (Lock)
            {
                limits?.Restore(Now, model, age);
            }
        }

        AnnounceTo(announce, begins: true);
    }

    /// <summary>Shares the limits of all models with other processes: from now on, only what is granted is sent. Call it before the first
    /// send.</summary>
    /// <param name="wantPermits">Called when a send waits for permits, under the lock of the limiters.</param>
    public void Share(Action wantPermits) => _wantPermits = wantPermits;

    /// <summary>Returns what those who share the limits must know, for each model of which something is sent.</summary>
    /// <param name="now">The moment of the report.</param>
    /// <param name="isLast">Whether nothing is sent any more, so that models of which nothing was sent lately are reported too.</param>
    public IReadOnlyList<ModelReport> Report(out double now, bool isLast = false)
    {
        lock (Lock)
        {
            double time = now = Now;
            return [.. _limiters.Values.Select(limiter => limiter.Report(time, isLast)).OfType<ModelReport>()];
        }
    }

    /// <summary>Takes what is granted of limits that others share.</summary>
    /// <param name="model">The model.</param>
    /// <param name="from">When it was asked for.</param>
    /// <param name="grant">The grant.</param>
    public void Grant(string model, double from, ModelGrant grant)
    {
        lock (Lock)
        {
            if (_limiters.TryGetValue(model, out ModelRateLimiter? limiter))
            {
                limiter.Grant(from, Now, grant);
                Admit();
            }
        }
    }

    /// <summary>Ends announcements; those of other jobs continue.</summary>
    public void EndAnnouncements(Action<SentMinute> announce) => AnnounceTo(announce, begins: false);

    public void Dispose()
    {
        lock (Lock)
        {
            foreach (ModelRateLimiter limiter in _limiters.Values)
            {
                limiter.Timer.Dispose();
            }
        }
    }

    /// <summary>Returns the limits that refusals have shown, by model; <see langword="null"/> if there are none.</summary>
    public IReadOnlyList<LearnedLimits>? Learned()
    {
        List<LearnedLimits>? learned = null;
        lock (Lock)
        {
            foreach ((string model, ModelRateLimiter limiter) in _limiters)
            {
                if (limiter.Law is { IsNone: false } law)
                {
                    (learned ??= []).Add(new LearnedLimits
                    {
                        Model = model,
                        RefusedAtRandom = law.RandomShare,
                        InFlight = law.InFlight,
                        RequestsPerSecond = law.PerSecond,
                    });
                }
            }
        }

        learned?.Sort(static (one, other) => string.CompareOrdinal(one.Model, other.Model));
        return learned;
    }

    /// <summary>Counts the requests that wait for a lease.</summary>
    public int CountWaiters()
    {
        lock (Lock)
        {
            return _queued.Sum(static limiter => limiter.Waiters);
        }
    }

    /// <summary>Returns the models whose provider is down.</summary>
    public IReadOnlyList<string> Down()
    {
        lock (Lock)
        {
            return [.. _limiters.Where(static entry => entry.Value.IsDown).Select(static entry => entry.Key)];
        }
    }

    /// <summary>Gets a value indicating whether other processes share the limits.</summary>
    internal bool IsShared => _wantPermits is not null;

    internal void WantPermits() => _wantPermits?.Invoke();

    internal long NextOrder() => ++_order;

    internal void Took() => _inFlight++;

    internal void GaveBack()
    {
        _inFlight--;
        if (Ceiling < HighestCeiling && Now is var now && now - CeilingChangedAt >= CeilingRisesEvery)
        {
            CeilingChangedAt = now;
            SetCeiling(Math.Min(HighestCeiling, Ceiling + (Ceiling / 8) + 1));
        }
    }

    internal void Queue(ModelRateLimiter limiter)
    {
        if (!_queued.Contains(limiter))
        {
            _queued.Add(limiter);
        }

        Note();
    }

    /// <summary>Admits the waiters that may pass, over all models: first come, first served; retries first. Call it under the
    /// lock.</summary>
    internal void Admit()
    {
        while (_queued.Count > 0)
        {
            double now = Now;
            ModelRateLimiter? next = null;
            for (int i = _queued.Count - 1; i >= 0; i--)
            {
                ModelRateLimiter limiter = _queued[i];
                if (limiter.HeadOrder is not { } order)
                {
                    _queued.RemoveAt(i);
                    limiter.Timer.Stop();
                }
                else if (limiter.HeadMayPass(now) && (next is null || order < next.HeadOrder))
                {
                    next = limiter;
                }
            }

            if (next is null)
            {
                break;
            }

            next.AdmitHead(now);
        }

        Note();
    }

    /// <summary>The limit of a limiter has changed.</summary>
    internal void Measure()
    {
        long limit = 0;
        foreach ((_, ModelRateLimiter limiter) in _limiters)
        {
            limit += limiter.Limit;
        }

        _limit = (int)Math.Min(Ceiling, limit);
    }

    private void SetCeiling(int ceiling)
    {
        Ceiling = ceiling;
        Measure();
    }

    private ModelRateLimiter Create(string model)
    {
        ConfiguredLimits? limits = _configured is { IsConfigured: true }
            ? new ConfiguredLimits(_configured, _maxDayWait, Now, IsShared)
            : null;
        limits?.AnnounceTo(Now, model, Volatile.Read(ref _announce));
        return new ModelRateLimiter(this, model, _adaptive, limits);
    }

    private void AnnounceTo(Action<SentMinute> announce, bool begins)
    {
        lock (Lock)
        {
            // Each job of a manager has an output of its own, which must know what all of them send.
            Action<SentMinute>? all = begins ? _announce + announce : _announce - announce;
            Volatile.Write(ref _announce, all);
            foreach (ModelRateLimiter limiter in _limiters.Values)
            {
                limiter.Configured?.AnnounceTo(Now, limiter.Model, all);
            }
        }
    }

    // Of several models with waiters, the one whose first waiter came first counts.
    private void Note()
    {
        ModelRateLimiter? first = null;
        foreach (ModelRateLimiter limiter in _queued)
        {
            if (limiter.HeadOrder is { } order && (first is null || order < first.HeadOrder))
            {
                first = limiter;
            }
        }

        _blockedBy = (int)(first?.BlockedBy ?? BlockReason.None);
    }
}
