using System.Collections.Concurrent;

namespace FastLLM.Admission;

/// <summary>The gates of a manager, one for each model, under one ceiling of requests in flight.</summary>
/// <remarks>
/// A manager has one base URL and one key, so the model is what limits differ by. One lock guards all gates: it is held for a few hundred nanoseconds,
/// and a slot that one model leaves may be what another one waits for.
/// </remarks>
internal sealed class Gates : IDisposable
{
    private const int MostGates = 1_000;

    private readonly ConcurrentDictionary<string, Gate> _gates = new(StringComparer.Ordinal);
    private readonly List<Gate> _queued = [];
    private readonly TimeProvider _time;
    private readonly RateLimits? _told;
    private readonly TimeSpan _mostDayWait;
    private readonly bool _adaptive;
    private readonly long _start;
    private Gate? _last;
    private long _order;
    private int _inFlight;
    private int _limit;
    private int _blockedBy;
    private bool _disposed;

    /// <param name="concurrency">The most in flight over all models.</param>
    /// <param name="adaptive">Whether the number in flight, for each model, follows what the provider takes.</param>
    /// <param name="time">The clock.</param>
    /// <param name="told">The limits that hold for each model, where told.</param>
    /// <param name="mostDayWait">How long to wait for the next day's requests, rather than give up.</param>
    /// <param name="longestOutage">How long a provider may be down before those who wait are sent away; without end, where left out.</param>
    public Gates(int concurrency, bool adaptive, TimeProvider time, RateLimits? told = null, TimeSpan mostDayWait = default, TimeSpan? longestOutage = null)
    {
        LongestOutage = longestOutage?.TotalSeconds ?? double.PositiveInfinity;
        Ceiling = concurrency;
        _adaptive = adaptive;
        _time = time;
        _told = told;
        _mostDayWait = mostDayWait;
        _start = time.GetTimestamp();
        _limit = adaptive ? Math.Min(concurrency, new AdaptiveLimit(concurrency).Limit) : concurrency;
    }

    /// <summary>Attempts that hold a lease.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How many may hold one at this moment.</summary>
    public int Limit => Volatile.Read(ref _limit);

    /// <summary>Why the first of those who wait must wait; <see cref="Block.None"/> where nobody does.</summary>
    public Block BlockedBy => (Block)Volatile.Read(ref _blockedBy);

    internal Lock Lock { get; } = new();

    internal int Ceiling { get; }

    internal double LongestOutage { get; }

    internal TimeProvider Time => _time;

    /// <summary>Seconds since the gates were made, on a clock that nobody sets.</summary>
    internal double Now => _time.GetElapsedTime(_start).TotalSeconds;

    internal bool IsFull => _inFlight >= Ceiling;

    /// <summary>The gate of a model.</summary>
    public Gate Of(string? model)
    {
        model ??= "";
        Gate? last = Volatile.Read(ref _last);
        if (last is not null && (ReferenceEquals(last.Model, model) || string.Equals(last.Model, model, StringComparison.Ordinal)))
        {
            return last;
        }

        if (!_gates.TryGetValue(model, out Gate? gate))
        {
            // Names come from the input: those beyond any sensible number share a gate, rather than use up memory.
            gate = _gates.GetOrAdd(_gates.Count < MostGates ? model : "", Create);
            lock (Lock)
            {
                Measure();
            }
        }

        Volatile.Write(ref _last, gate);
        return gate;
    }

    /// <summary>Lets nobody of any model through for a time.</summary>
    /// <returns>Whether that is longer than was known for any.</returns>
    public bool CloseAllFor(TimeSpan wait)
    {
        var isNews = false;
        foreach (Gate gate in _gates.Values)
        {
            isNews |= gate.CloseFor(wait);
        }

        return isNews;
    }

    public void Dispose()
    {
        lock (Lock)
        {
            _disposed = true;
            foreach (Gate gate in _gates.Values)
            {
                gate.StopTimer();
            }
        }
    }

    internal ITimer? CreateTimer(Gate gate)
    {
        if (_disposed)
        {
            return null;
        }

        // A timer must not hold on to the context of the request that happened to come first.
        using (ExecutionContext.SuppressFlow())
        {
            return _time.CreateTimer(static state => ((Gate)state!).Open(), gate, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    internal long NextOrder() => ++_order;

    internal void Took() => _inFlight++;

    internal void GaveBack() => _inFlight--;

    internal void Queue(Gate gate)
    {
        if (!_queued.Contains(gate))
        {
            _queued.Add(gate);
        }

        Note();
    }

    /// <summary>Lets through whoever may pass, over all models: first come first served, retries first. Under the lock.</summary>
    internal void Admit()
    {
        while (_queued.Count > 0)
        {
            double now = Now;
            Gate? next = null;
            for (int i = _queued.Count - 1; i >= 0; i--)
            {
                Gate gate = _queued[i];
                if (gate.HeadOrder is not { } order)
                {
                    _queued.RemoveAt(i);
                }
                else if (gate.HeadMayPass(now) && (next is null || order < next.HeadOrder))
                {
                    next = gate;
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

    /// <summary>The limit of a gate has changed.</summary>
    internal void Measure()
    {
        if (_adaptive)
        {
            long limit = 0;
            foreach ((_, Gate gate) in _gates)
            {
                limit += gate.Limit;
            }

            _limit = (int)Math.Min(Ceiling, limit);
        }
    }

    private Gate Create(string model) => new(
        this, model, _adaptive ? new AdaptiveLimit(Ceiling) : null, _told is { IsTold: true } ? new Budget(_told, _mostDayWait) : null);

    // Of several models that wait, the one whose head came first speaks.
    private void Note()
    {
        Gate? first = null;
        foreach (Gate gate in _queued)
        {
            if (gate.HeadOrder is { } order && (first is null || order < first.HeadOrder))
            {
                first = gate;
            }
        }

        _blockedBy = (int)(first?.BlockedBy ?? Block.None);
    }
}
