using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.Progress;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace FastLLM;

/// <summary>Sends requests in parallel: as fast as the provider allows, never twice for the same answer, and without one bad request stopping the others.</summary>
/// <remarks>
/// <para>Safe for concurrent use: one manager serves many batches, also at once, under one limit. Equal requests share one send,
/// whichever batch they are in. Disposing it lets go of its connections; a cache or handler that it was given stays open.</para>
/// <para>A failed request is a value (<see cref="ResponseWrapper.Error"/>). What makes all further sends pointless (a refused key, an
/// exhausted account, a cache that cannot be written …) ends the run with an <see cref="LlmRunException"/>; cancelling ends it with an
/// <see cref="LlmCanceledException"/>. Both carry every response so far.</para>
/// </remarks>
/// <typeparam name="TResponse">The provider's type of response.</typeparam>
public partial class RequestManager<TResponse> : IAsyncDisposable
{
    private readonly Provider<TResponse> _provider;
    private readonly RequestManagerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Func<double> _jitter;
    private readonly Transport _transport;
    private readonly AttemptClock _clock;
    private readonly RateLimiters _limiters;
    private readonly InFlightTable<Caller<TResponse>> _inFlight;
    // No ConcurrentBag: its thread-local queues would hold workers, and through them the manager and its last run, for as long as the thread lives.
    private readonly ConcurrentStack<Worker> _workers = [];
    private readonly AttemptTimes _times;
    private readonly RetryBudget _retries;
    private readonly string _scope;
    private readonly ProgressTracker _tracker;
    private readonly int _mostWaiting;
    private readonly bool _countsRows;
    private readonly ConcurrentDictionary<Run<TResponse>, bool> _runs = new();
    private int _bars;
    private readonly DateTimeOffset _born;
    private volatile bool _disposed;

    /// <summary>Creates a manager.</summary>
    /// <param name="provider">Who answers.</param>
    /// <param name="options">How to send; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">Two options do not fit together, or a cache is set and the provider's responses cannot be turned into bytes.</exception>
    public RequestManager(Provider<TResponse> provider, RequestManagerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(provider);
        _provider = provider;
        _options = (options ?? new RequestManagerOptions()).ValidatedCopy();
        if (_options.Cache is not null && !provider.CanBeCached)
        {
            throw new ArgumentException(
                $"A cache is set, but how a {typeof(TResponse).Name} is kept is not known. Give the provider a JsonTypeInfo<{typeof(TResponse).Name}>, or override Read and Write.", nameof(options));
        }

        _time = _options.TimeProvider;
        _born = _time.GetUtcNow();
        _logger = _options.Logger ?? NullLogger.Instance;
        _jitter = _options.Jitter ?? Retries.Jitter.Next;
        _transport = new Transport(_options.HttpMessageHandler, _options.ConnectTimeout, _options.MaxResponseBytes, _options.StreamMode, _time, _logger);
        _clock = new AttemptClock(_time);
        _limiters = new RateLimiters(_options.Concurrency, _options.AdaptiveConcurrency, _time, _options.RateLimits, MaxDayWait(), _options.MaxThrottleWait);
        _inFlight = new InFlightTable<Caller<TResponse>>(_options.Concurrency);
        _times = new AttemptTimes(_options.FirstByteTimeout, _options.IdleTimeout);
        _retries = new RetryBudget(_time);
        _scope = provider.CacheScope;
        provider.Observed += Observe;
        _tracker = new ProgressTracker(null, bar: null, progress: null, _time, State);
        _countsRows = _options is not { MaxErrors: null, MaxErrorShare: null };
        _spending = _options.Budget is { } budget ? new BudgetLedger(budget) : null;
        _mostWaiting = Math.Max(1000, 4 * _options.Concurrency);
    }

    /// <summary>For which finish reasons answers are asked for again.</summary>
    internal IReadOnlyCollection<string> RefreshFinishReasons => _options.RefreshFinishReasons;

    // Who allows any number of failures wants them all.
    private bool AsksWhoseFault => _options.MaxErrorShare is not >= 1;

    /// <summary>Gets a snapshot of all that the manager has done.</summary>
    public TokenStats Stats
    {
        get
        {
            foreach (Run<TResponse> run in _runs.Keys)
            {
                NoteBottleneck(run);
            }

            return _tracker.Stats;
        }
    }

    /// <summary>Processes requests and returns their outcomes in request order.</summary>
    /// <param name="batch">A <see cref="RequestBatch"/>, or any sequence of requests.</param>
    /// <param name="cancellationToken">Ends the batch at once; what is in flight is given up.</param>
    /// <returns>One outcome for each request: a response or a failure.</returns>
    /// <exception cref="LlmRunException">The run cannot go on; the exception carries every response so far.</exception>
    /// <exception cref="LlmCanceledException">Cancelled; the exception carries every response so far.</exception>
    public async Task<IReadOnlyList<ResponseWrapper<TResponse>>> ProcessBatchAsync(IEnumerable<LlmRequest> batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ObjectDisposedException.ThrowIf(_disposed, this);
        LlmRequest[] requests = [.. batch];
        if (Array.IndexOf(requests, null) is >= 0 and var missing)
        {
            throw new ArgumentException($"Request {missing} of the batch is null.", nameof(batch));
        }

        using ProgressTracker tracker = Track(requests.Length, out bool drawsBar);
        var run = new BatchRun<TResponse>(requests, tracker, remembersAnswers: _options.Cache is null, AsksWhoseFault);
        try
        {
            // Before the first worker: a token that has fired already sends nothing.
            using (cancellationToken.UnsafeRegister(state => Abandon((Run<TResponse>)state!), run))
            {
                Begin(run, requests.Length);
                await run.Completion.ConfigureAwait(false);
            }

            bool isComplete = run.IsComplete;
            IReadOnlyList<ResponseWrapper<TResponse>> outcomes = run.Outcomes();
            if (run.StopCause is not null || !isComplete)
            {
                ThrowEnded(run, outcomes, cancellationToken);
            }

            return outcomes;
        }
        finally
        {
            Finish(run, drawsBar);
        }
    }

    /// <summary>The synchronous twin of <see cref="ProcessBatchAsync"/>, safe to call under a synchronization context.</summary>
    /// <inheritdoc cref="ProcessBatchAsync"/>
    public IReadOnlyList<ResponseWrapper<TResponse>> ProcessBatch(IEnumerable<LlmRequest> batch, CancellationToken cancellationToken = default) =>
        Task.Run(() => ProcessBatchAsync(batch, cancellationToken), CancellationToken.None).GetAwaiter().GetResult();

    /// <summary>Processes a stream of requests, without end if need be, and hands out outcomes as they come.</summary>
    /// <remarks>
    /// Outcomes come in the order of completion; <see cref="ResponseWrapper.OrderId"/> tells the request's place. Requests are read
    /// only as fast as outcomes are taken. Without a cache, a stream shares only what is in flight, and failures.
    /// </remarks>
    /// <param name="requests">The requests; read by one thread at a time, not always the same.</param>
    /// <param name="cancellationToken">Ends the stream at once; what is in flight is given up.</param>
    /// <exception cref="LlmRunException">The run cannot go on; thrown after the last outcome was handed out.</exception>
    /// <exception cref="LlmCanceledException">Cancelled; the exception carries the outcomes that had not been handed out yet.</exception>
    public IAsyncEnumerable<ResponseWrapper<TResponse>> ProcessAsync(IAsyncEnumerable<LlmRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return StreamAsync(requests, null, CancellationToken.None, cancellationToken);
    }

    /// <summary>The same, with an end that loses nothing: when <paramref name="drain"/> fires, nothing more is sent, and what is in flight is waited for.</summary>
    /// <param name="requests">The requests.</param>
    /// <param name="total">How many there are, for the progress; <see langword="null"/> where that is not known.</param>
    /// <param name="drain">Ends the stream with an <see cref="LlmRunException"/> of kind <see cref="FailureKind.NotSent"/>.</param>
    /// <param name="cancellationToken">Ends the stream at once.</param>
    internal IAsyncEnumerable<ResponseWrapper<TResponse>> ProcessAsync(
        IAsyncEnumerable<LlmRequest> requests, long? total, CancellationToken drain, CancellationToken cancellationToken) =>
        StreamAsync(requests, total, drain, cancellationToken);

    /// <summary>Lets go of connections. Batches under way end with an <see cref="LlmRunException"/>; finish them first.</summary>
    public ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            _provider.Observed -= Observe;
            foreach (Run<TResponse> run in _runs.Keys)
            {
                run.Stop(new LlmException(FailureKind.NotSent, "The manager was disposed."));
                Abandon(run);
            }

            _clock.Dispose();
            _limiters.Dispose();
            _tracker.Dispose();
            _transport.Dispose();
        }

        GC.SuppressFinalize(this);
        return default;
    }

    private async IAsyncEnumerable<ResponseWrapper<TResponse>> StreamAsync(
        IAsyncEnumerable<LlmRequest> requests, long? total, CancellationToken drain, CancellationToken argumentToken, [EnumeratorCancellation] CancellationToken enumeratorToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(argumentToken, enumeratorToken);
        var run = new StreamRun<TResponse>(requests, _options.Concurrency + _mostWaiting, Track(total, out bool drawsBar), AsksWhoseFault);
        try
        {
            using (either.Token.UnsafeRegister(state => Abandon((Run<TResponse>)state!), run))
            using (drain.UnsafeRegister(state => Stop((Run<TResponse>)state!, new LlmException(FailureKind.NotSent, "Interrupted.")), run))
            {
                Begin(run, _options.Concurrency);
                while (!either.IsCancellationRequested && await run.Outcomes.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
                {
                    while (!either.IsCancellationRequested && run.Outcomes.TryRead(out ResponseWrapper<TResponse>? outcome))
                    {
                        yield return outcome;
                        run.HandedOut();
                    }
                }
            }

            List<ResponseWrapper<TResponse>> left = [];
            while (run.Outcomes.TryRead(out ResponseWrapper<TResponse>? outcome))
            {
                left.Add(outcome);
            }

            if (run.StopCause is not null || either.IsCancellationRequested)
            {
                ThrowEnded(run, left, argumentToken.IsCancellationRequested ? argumentToken : enumeratorToken);
            }

            if (run.SourceFault is { } fault)
            {
                ExceptionDispatchInfo.Throw(fault);
            }
        }
        finally
        {
            Abandon(run);
            Finish(run, drawsBar);
            run.Tracker.Dispose();
            await run.LeaveSourceAsync().ConfigureAwait(false);
        }
    }

    private void Begin(Run<TResponse> run, int rows)
    {
        _runs.TryAdd(run, true);
        NoteBottleneck(run);
        int workers = Math.Min(rows, _options.Concurrency);
        for (var i = 0; i < workers; i++)
        {
            StartWorker(run);
        }
    }

    private void Finish(Run<TResponse> run, bool drawsBar)
    {
        _runs.TryRemove(run, out _);
        run.Tracker.Bottlenecks.Is(Bottleneck.None);
        if (_runs.IsEmpty)
        {
            _tracker.Bottlenecks.Is(Bottleneck.None);
        }

        if (drawsBar)
        {
            Volatile.Write(ref _bars, 0);
        }
    }

    private void StartWorker(Run<TResponse> run)
    {
        run.WorkerBegins();
        ThreadPool.QueueUserWorkItem(static state => _ = state.Manager.WorkAsync(state.Run), (Manager: this, Run: run), preferLocal: false);
    }

    private ProgressTracker Track(long? total, out bool drawsBar)
    {
        // Two bars on one terminal would draw over each other: the first batch has it.
        drawsBar = _options.ShowProgress && Interlocked.CompareExchange(ref _bars, 1, 0) == 0;
        return new ProgressTracker(total, drawsBar ? ProgressBar.OnTerminal() : null, _options.Progress, _time, State);
    }

    [DoesNotReturn]
    private void ThrowEnded(Run<TResponse> run, IReadOnlyList<ResponseWrapper<TResponse>> outcomes, CancellationToken cancellationToken)
    {
        if (run.StopCause is not { } cause)
        {
            throw new LlmCanceledException(outcomes, cancellationToken);
        }

        TokenStats stats = run.Tracker.Stats;
        string reason = $"The run stopped: {cause.Message} {FailureTable.Remedy(cause)} {stats.RequestsCompleted - stats.Failed} requests were answered until then.";
        _logger.RunStopped(reason);
        throw new LlmRunException(reason, cause, outcomes);
    }

    // Nobody wants the run's outcomes any more: its rows leave their flights, and flights that nobody else waits for end.
    private void Abandon(Run<TResponse> run)
    {
        run.Close();
        var inFlight = new List<LeftCaller<Caller<TResponse>>>();
        _inFlight.Leave(caller => ReferenceEquals(caller.Run, run), inFlight);
        var canceled = new LlmException(FailureKind.Canceled, "Cancelled while in flight; the provider may bill it.");
        foreach (LeftCaller<Caller<TResponse>> left in inFlight)
        {
            run.Note(new ResponseWrapper<TResponse>(canceled, left.Key, left.Caller.OrderId));
        }

        run.End();
    }

    // Nothing more is sent for the run: rows that are not in flight get their verdict now.
    private void Stop(Run<TResponse> run, LlmException cause)
    {
        if (!run.Stop(cause))
        {
            return;
        }

        if (cause.Kind == FailureKind.Cache)
        {
            _logger.CacheFailed(cause);
        }

        var left = new List<LeftCaller<Caller<TResponse>>>();
        _inFlight.LeaveWaiting(static caller => caller.Run.IsStopping, left);
        SettleLeft(left);
    }

    private void SettleLeft(List<LeftCaller<Caller<TResponse>>> left)
    {
        foreach (LeftCaller<Caller<TResponse>> row in left)
        {
            Settle(row.Caller, new ResponseWrapper<TResponse>(NotSent(row.LastFailure), row.Key, row.Caller.OrderId) { Cost = row.Charged > 0 ? row.Charged : null }, new TokenCounts { Failed = 1 });
        }
    }

}

/// <summary>A <see cref="RequestManager{TResponse}"/> for the built-in type of response.</summary>
public sealed class RequestManager : RequestManager<LlmResponse>
{
    /// <inheritdoc cref="RequestManager{TResponse}(Provider{TResponse}, RequestManagerOptions?)"/>
    public RequestManager(Provider<LlmResponse> provider, RequestManagerOptions? options = null)
        : base(provider, options)
    {
    }
}
