using FastLLM.Progress;

namespace FastLLM;

/// <summary>Counts finished requests, reports progress, and draws a small bar on an interactive terminal.</summary>
/// <remarks>The manager creates one per batch; create your own to count requests that you send yourself. Safe for concurrent use.</remarks>
public sealed class ProgressTracker : IDisposable
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly IProgress<TokenStats>? _progress;
    private readonly ProgressBar? _bar;
    private readonly Func<EngineState>? _state;
    private readonly long _started;
    private long _reported;
    private bool _disposed;

    private TokenCounts _counts;

    /// <summary>Starts to count.</summary>
    /// <param name="totalRequests">How many requests there are; <see langword="null"/> where that is not known.</param>
    /// <param name="showProgress">Whether to draw a bar. Only on an interactive terminal, on standard error.</param>
    /// <param name="progress">Receives reports, about ten per second and one at the end.</param>
    /// <param name="timeProvider">The clock; <see langword="null"/> for the system's.</param>
    public ProgressTracker(
        long? totalRequests, bool showProgress = true, IProgress<TokenStats>? progress = null, TimeProvider? timeProvider = null)
        : this(totalRequests, showProgress ? ProgressBar.OnTerminal() : null, progress, timeProvider ?? TimeProvider.System, state: null)
    {
    }

    internal ProgressTracker(
        long? totalRequests, ProgressBar? bar, IProgress<TokenStats>? progress, TimeProvider time, Func<EngineState>? state)
    {
        TotalRequests = totalRequests;
        _bar = bar;
        _progress = progress;
        _time = time;
        _state = state;
        Bottlenecks = new BottleneckMonitor(time, Bottleneck.None);
        _started = time.GetTimestamp();
        _reported = _started;
        StartTime = time.GetUtcNow();
    }

    /// <summary>Gets how many requests there are; <see langword="null"/> where that is not known.</summary>
    public long? TotalRequests { get; }

    /// <summary>Gets the time per bottleneck.</summary>
    internal BottleneckMonitor Bottlenecks { get; }

    /// <summary>Gets a value indicating whether a bar is drawn.</summary>
    internal bool DrawsBar => _bar is not null;

    /// <summary>Gets when the counting began.</summary>
    public DateTimeOffset StartTime { get; }

    /// <summary>Gets a snapshot.</summary>
    public TokenStats Stats
    {
        get
        {
            lock (_gate)
            {
                return Snapshot();
            }
        }
    }

    /// <summary>Counts a request that was answered.</summary>
    /// <param name="promptTokens">The tokens of its prompt.</param>
    /// <param name="completionTokens">The tokens of its answer.</param>
    /// <param name="isCacheHit">Whether the answer came from a cache; its tokens then do not count.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    public void Update(long promptTokens, long completionTokens, bool isCacheHit = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(promptTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(completionTokens);
        Count(isCacheHit
            ? new TokenCounts { Completed = 1, CacheHits = 1 }
            : new TokenCounts
            {
                Completed = 1,
                Prompt = promptTokens,
                Completion = completionTokens,
                Total = promptTokens + completionTokens,
            });
    }

    /// <summary>Counts a request that failed.</summary>
    public void UpdateFailed() => Count(new TokenCounts { Completed = 1, Failed = 1 });

    /// <summary>Reports the final state and finishes the bar.</summary>
    public void Dispose()
    {
        TokenStats stats;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            stats = Snapshot();
        }

        Tell(stats);
        _bar?.Finish(stats);
    }

    internal void Count(in TokenCounts more)
    {
        TokenStats? due = null;
        lock (_gate)
        {
            _counts.Add(more);
            if ((_progress is not null || _bar is not null) && !_disposed && _time.GetElapsedTime(_reported) >= ReportEvery)
            {
                _reported = _time.GetTimestamp();
                due = Snapshot();
            }
        }

        if (due is not null)
        {
            Tell(due);
            _bar?.Draw(due);
        }
    }

    private void Tell(TokenStats stats)
    {
        try
        {
            _progress?.Report(stats);
        }
        catch (Exception)
        {
            // A listener that fails must not cost an answer.
        }
    }

    private TokenStats Snapshot()
    {
        TokenStats counts = _counts.ToStats(TotalRequests, StartTime, _time.GetElapsedTime(_started));
        EngineState state = _state?.Invoke() ?? default;
        return counts with
        {
            InFlight = state.InFlight,
            ConcurrencyLimit = state.Limit,
            ConcurrencyCeiling = state.Ceiling,
            RequestLimit = state.RequestLimit,
            TokenLimit = state.TokenLimit,
            LearnedLimits = state.Learned ?? [],
            LimitedBy = Bottlenecks.Present,
            LimitedByShares = Bottlenecks.Shares(),
        };
    }
}
