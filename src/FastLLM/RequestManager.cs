using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using FastLLM.Caching;
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

/// <summary>Sends requests in parallel: as fast as the provider allows, never twice for the same answer, and without one bad request
/// stopping the others.</summary>
/// <remarks>
/// <para>Safe for concurrent use: one manager serves many batches, also at the same time, under one limit. Equal requests share one send,
/// whichever batch they are in. Disposing the manager closes its connections; a cache or handler that it was given stays open.</para>
/// <para>A failed request is a value (<see cref="ResponseWrapper.Error"/>). A failure that makes all further sends pointless (a refused
/// key, an exhausted account, a cache that cannot be written …) ends the run with an <see cref="LlmRunException"/>. Canceling ends it with
/// an <see cref="LlmCanceledException"/>. Both carry every response so far.</para>
/// </remarks>
/// <typeparam name="TResponse">The provider's type of response.</typeparam>
public class RequestManager<TResponse> : IAsyncDisposable, IDisposable
{
    // Long because its members are documented for users.
    // Many fields because the engine is put together here: one for each part that a run or the disposal needs.
    private readonly ILogger _logger;
    private readonly Transport _transport;
    private readonly AttemptClock _clock;
    private readonly RateLimiters _limiters;
    private readonly ContextPool<TResponse> _contexts;
    private readonly ProgressTracker _total;
    private readonly BottleneckProbe _probe;
    private readonly AdmissionControl<TResponse> _admission;
    private readonly OutcomeDelivery<TResponse> _delivery;
    private readonly RequestPipeline<TResponse> _pipeline;
    private readonly BudgetLedger? _ledger;
    private readonly ProgressTracker _singles;
    private readonly SharedFailureDetector _singleFailures;
    private readonly Action<object?> _abandon;
    private readonly Action<object?> _stopLate;
    private readonly ManagerGauges _gauges;
    private readonly ConcurrentDictionary<Run<TResponse>, bool> _runs = new();
    private int _bars;
    private volatile bool _disposed;

    /// <summary>Creates a manager.</summary>
    /// <param name="provider">The provider that answers.</param>
    /// <param name="options">How to send; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">Two options contradict each other, or a cache is set and the provider's responses cannot be
    /// turned into bytes.</exception>
    public RequestManager(Provider<TResponse> provider, RequestManagerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(provider);
        Options = (options ?? new RequestManagerOptions()).ValidatedCopy();
        if (Options.Cache is not null && !provider.CanBeCached)
        {
            string type = typeof(TResponse).Name;
            throw new ArgumentException(
                $"A cache is set, but a {type} cannot be turned into bytes. "
                    + $"Give the provider a JsonTypeInfo<{type}>, or override Read and Write.",
                    nameof(options));
        }

        TimeProvider time = Options.TimeProvider;
        _logger = Options.Logger ?? NullLogger.Instance;
        if (Options.FitDescriptors() is { } wanted)
        {
            _logger.ConcurrencyLowered(Options.Concurrency, wanted, Descriptors.Limit);
        }

        _transport = new Transport(Options, _logger);
        _clock = new AttemptClock(time);
        _contexts = new ContextPool<TResponse>(_transport, _clock, new AttemptTimes(Options.FirstByteTimeout, Options.IdleTimeout));
        _limiters = RateLimiters.Create(Options);
        _ledger = Options.SharedBudget ?? (Options.Budget is { } budget ? new BudgetLedger(budget) : null);
        _total = new ProgressTracker(null, bar: null, progress: null, time, State);
        _probe = new BottleneckProbe(_limiters, _ledger, _total.Bottlenecks);
        _singles = new ProgressTracker(null, bar: null, progress: null, time, state: null);
        _singleFailures = SharedFailureDetector.CreateIdle(time);
        Costs = new CostMeter(Options.Prices);
        Answers = Options.Cache is { } cache
            ? NewStore(cache, provider)
            : null;
        var inFlight = new InFlightTable<Caller<TResponse>>(Options.Concurrency);
        ProviderIdentity identity = provider.Identity;
        var telemetry = new SendTelemetry(identity, Options.CaptureMessageContent);
        _gauges = new ManagerGauges(identity, Gauge);
        _delivery = new OutcomeDelivery<TResponse>(inFlight, _total, telemetry, _logger);
        _abandon = run => _delivery.Abandon((Run<TResponse>)run!);
        _stopLate = run => _delivery.Stop((Run<TResponse>)run!, ((SingleRun<TResponse>)run!).Lateness!);
        _admission = new AdmissionControl<TResponse>(provider, Options, _limiters, Costs, _probe, _logger);
        var checker = new AnswerChecker<TResponse>(Answers, inFlight, _delivery);
        _pipeline = new RequestPipeline<TResponse>(
            provider, Options, inFlight, Answers, _admission, new RetryBudget(time), _delivery, checker, _probe, telemetry, _logger);
    }

    /// <summary>Gets a snapshot of all runs of the manager together.</summary>
    public TokenStats Stats => _total.Stats;

    /// <summary>Gets the options, as they were checked and copied.</summary>
    internal RequestManagerOptions Options { get; }

    /// <summary>Gets the answers that are kept, if there is a cache.</summary>
    internal AnswerStore<TResponse>? Answers { get; }

    /// <summary>Gets the limiters of the models.</summary>
    internal RateLimiters Limiters => _limiters;

    /// <summary>Gets the streams that are watched while they arrive.</summary>
    internal LiveStreams LiveStreams => _transport.LiveStreams;

    /// <summary>Gets what models cost.</summary>
    internal CostMeter Costs { get; }

    /// <summary>Gets what limits the manager now.</summary>
    internal Bottleneck Bottleneck => _total.Bottlenecks.Present;

    /// <summary>Processes requests and returns their outcomes in request order.</summary>
    /// <param name="batch">A <see cref="RequestBatch"/>, or any sequence of requests.</param>
    /// <param name="cancellationToken">Ends the batch at once; what is in flight is given up.</param>
    /// <returns>One outcome for each request: a response or a failure.</returns>
    /// <exception cref="LlmRunException">The run cannot continue; the exception carries every response so far.</exception>
    /// <exception cref="LlmCanceledException">Canceled; the exception carries every response so far.</exception>
    public async Task<IReadOnlyList<ResponseWrapper<TResponse>>> ProcessBatchAsync(
        IEnumerable<LlmRequest> batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        LlmRequest[] requests = [.. batch];
        return Array.IndexOf(requests, null) is >= 0 and var missing
            ? throw new ArgumentException($"Request {missing} of the batch is null.", nameof(batch))
            : await ProcessAsync(requests, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Processes requests that the caller does not change.</summary>
    internal async Task<IReadOnlyList<ResponseWrapper<TResponse>>> ProcessAsync(
        LlmRequest[] requests, CancellationToken cancellationToken, AnswerCheck? check = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var run = new BatchRun<TResponse>(
            requests, Track(requests.Length), _ledger?.Open(), remembersAnswers: Answers is null, NewDetector())
        {
            Check = check,
            FailureLimit = FailureLimit.Create(Options),
        };
        try
        {
            // Before the first worker: a token that has fired already sends nothing.
            using (cancellationToken.UnsafeRegister(_abandon, run))
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
            Finish(run);
        }
    }

    /// <summary>The synchronous twin of <see cref="ProcessBatchAsync"/>, safe to call under a synchronization context.</summary>
    /// <inheritdoc cref="ProcessBatchAsync"/>
    public IReadOnlyList<ResponseWrapper<TResponse>> ProcessBatch(
        IEnumerable<LlmRequest> batch, CancellationToken cancellationToken = default) =>
        Task.Run(() => ProcessBatchAsync(batch, cancellationToken), CancellationToken.None).GetAwaiter().GetResult();

    /// <summary>Sends one request and returns its outcome.</summary>
    /// <remarks>
    /// <para>A call costs what a row of a batch costs, and shares limits, retries, cache, budget and in-flight requests with all others. It
    /// draws no progress bar and reports no progress; <see cref="Stats"/> counts it. Where all requests are known, prefer
    /// <see cref="ProcessBatchAsync"/> or <see cref="ProcessAsync(IAsyncEnumerable{LlmRequest}, CancellationToken)"/>: rows that wait cost
    /// less than calls that wait.</para>
    /// <para>Every failure is a value (<see cref="ResponseWrapper.Error"/>), also one that would stop a run of many requests, such as a
    /// refused key.</para>
    /// </remarks>
    /// <param name="request">The request.</param>
    /// <param name="cancellationToken">Ends the call at once. The request is given up, unless other calls or rows await it.</param>
    /// <returns>A response or a failure.</returns>
    /// <exception cref="LlmRunException">The cache cannot be written. The exception carries the response.</exception>
    /// <exception cref="LlmCanceledException">The call was canceled.</exception>
    public Task<ResponseWrapper<TResponse>> SendAsync(LlmRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return SendAsync(
            new SingleRun<TResponse>(request, _singles, _ledger?.Open(), _singleFailures), CancellationToken.None, cancellationToken);
    }

    /// <summary>Sends one request. Once <paramref name="late"/> fires, nothing more is sent for it because of <paramref name="lateness"/>,
    /// and a send under way is awaited. <paramref name="entered"/> is called when the request has been begun or joined.</summary>
    internal Task<ResponseWrapper<TResponse>> SendAsync(
        LlmRequest request, Action? entered, LlmException lateness, CancellationToken late, CancellationToken cancellationToken) =>
        SendAsync(
            new SingleRun<TResponse>(request, _singles, _ledger?.Open(), _singleFailures)
            {
                Entered = entered,
                Lateness = lateness,
                IsInteractive = true,
            },
            late,
            cancellationToken);

    private async Task<ResponseWrapper<TResponse>> SendAsync(
        SingleRun<TResponse> run, CancellationToken late, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        try
        {
            using (cancellationToken.UnsafeRegister(_abandon, run))
            using (late.UnsafeRegister(_stopLate, run))
            {
                Begin(run, rows: 1);
                await run.Completion.ConfigureAwait(false);
            }

            bool isComplete = run.IsComplete;
            ResponseWrapper<TResponse> outcome = run.Outcome();
            return !isComplete && cancellationToken.IsCancellationRequested ? throw new LlmCanceledException([outcome], cancellationToken)
                : outcome.IsSuccess && run.StopCause is { Kind: FailureKind.Cache } cause ? throw Ended(run, cause, [outcome])
                : outcome;
        }
        finally
        {
            End(run);
        }
    }

    /// <summary>Processes a stream of requests of any length, and returns outcomes as they come.</summary>
    /// <remarks>Outcomes come in the order of completion; <see cref="ResponseWrapper.OrderId"/> is the request's place. Requests are read
    /// only as fast as outcomes are taken. Without a cache, a stream shares only what is in flight, and failures.</remarks>
    /// <param name="requests">The requests; read by one thread at a time, not always the same.</param>
    /// <param name="cancellationToken">Ends the stream at once; what is in flight is given up.</param>
    /// <exception cref="LlmRunException">The run cannot continue; thrown after the last outcome was returned.</exception>
    /// <exception cref="LlmCanceledException">Canceled; the exception carries the outcomes that had not been returned yet.</exception>
    public IAsyncEnumerable<ResponseWrapper<TResponse>> ProcessAsync(
        IAsyncEnumerable<LlmRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return ReadAsync(() => NewRun(requests, new RunSettings()), CancellationToken.None, cancellationToken);
    }

    /// <summary>Closes connections. Batches under way end with an <see cref="LlmRunException"/>; finish them first.</summary>
    public ValueTask DisposeAsync()
    {
        Dispose();
        GC.SuppressFinalize(this);
        return default;
    }

    /// <summary>The same as <see cref="DisposeAsync"/>, for containers that are disposed synchronously. It does not wait.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            foreach (Run<TResponse> run in _runs.Keys)
            {
                run.Stop(new LlmException(FailureKind.NotSent, "The manager was disposed."));
                _delivery.Abandon(run);
            }

            _clock.Dispose();
            _admission.Dispose();
            _total.Dispose();
            _transport.Dispose();
            _gauges.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Opens a run over a stream, which starts when its outcomes are enumerated.</summary>
    /// <param name="rows">The requests; read by one thread at a time, not always the same.</param>
    /// <param name="settings">What the run brings along. Its drain ends the run with an <see cref="LlmRunException"/> of kind
    /// <see cref="FailureKind.NotSent"/>.</param>
    /// <param name="cancellationToken">Ends the run at once; what is in flight is given up.</param>
    internal StreamRun<TResponse> Open(
        IAsyncEnumerable<LlmRequest> rows, RunSettings settings, CancellationToken cancellationToken = default)
    {
        StreamRun<TResponse> run = NewRun(rows, settings);
        run.Outcomes = ReadAsync(() => run, settings.Drain, cancellationToken);
        return run;
    }

    private StreamRun<TResponse> NewRun(IAsyncEnumerable<LlmRequest> rows, RunSettings settings)
    {
        int window = Options.Concurrency + WorkerPool<TResponse>.MaxPaused(Options.Concurrency);
        BudgetAccount? account = _ledger?.Open(settings.EarlierCost, settings.AnnounceInFlight);
        return new StreamRun<TResponse>(
            rows, window, Track(settings.Total), account, NewDetector(), settings, hasCache: Answers is not null, Options.TimeProvider)
        {
            Check = settings.Check,
            FailureLimit = FailureLimit.Create(Options),
        };
    }

    private AnswerStore<TResponse> NewStore(CacheProvider cache, Provider<TResponse> provider)
    {
        var refresh = new RefreshRule(Options.RefreshFinishReasons);
        AnswerClaims<TResponse>? claims = cache is IClaimingCache shared
            ? new AnswerClaims<TResponse>(shared, provider, refresh, Options, _probe) : null;
        return new AnswerStore<TResponse>(cache, provider, refresh, Options.TimeProvider, _logger, claims);
    }

    private SharedFailureDetector NewDetector() => new(stopsIfAlike: Options.MaxErrorShare is not >= 1, Options.TimeProvider, Options.Jitter);

    private async IAsyncEnumerable<ResponseWrapper<TResponse>> ReadAsync(
        Func<StreamRun<TResponse>> open, CancellationToken drain, CancellationToken argumentToken,
            [EnumeratorCancellation] CancellationToken enumeratorToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(argumentToken, enumeratorToken);
        StreamRun<TResponse> run = open();
        try
        {
            using (either.Token.UnsafeRegister(_abandon, run))
            using (drain.UnsafeRegister(state => _delivery.Stop((Run<TResponse>)state!,
                new LlmException(FailureKind.NotSent, "Interrupted.")), run))
            {
                Begin(run, Options.Concurrency);
                while (!either.IsCancellationRequested && await run.WaitForOutcomeAsync().ConfigureAwait(false))
                {
                    while (!either.IsCancellationRequested && run.TryTake(out ResponseWrapper<TResponse>? outcome))
                    {
                        yield return outcome;
                        run.Free(outcome.OrderId);
                    }
                }
            }

            List<ResponseWrapper<TResponse>> left = [];
            while (run.TryTake(out ResponseWrapper<TResponse>? outcome))
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
            _delivery.Abandon(run);
            Finish(run);
            await run.LeaveRowsAsync().ConfigureAwait(false);
        }
    }

    private void Begin(Run<TResponse> run, int rows)
    {
        run.Workers = new WorkerPool<TResponse>(run, _pipeline, _contexts, Options.Concurrency);
        _runs.TryAdd(run, true);
        _probe.Note(run);
        run.Workers.Start(rows);
    }

    private void Finish(Run<TResponse> run)
    {
        End(run);
        run.Tracker.Dispose();
        if (run.Tracker.DrawsBar)
        {
            Volatile.Write(ref _bars, 0);
        }
    }

    private void End(Run<TResponse> run)
    {
        _runs.TryRemove(run, out _);
        run.SharedFailures.End(FailureScope.Request);
        run.Account?.Close();
        bool isLast = _runs.IsEmpty;
        _probe.End(run, isLast);
        if (isLast)
        {
            _clock.Rest();
        }
    }

    private ProgressTracker Track(long? total)
    {
        // Two bars on one terminal would draw over each other: the first run has it.
        ProgressBar? bar = Options.ShowProgress && Interlocked.CompareExchange(ref _bars, 1, 0) == 0 ? ProgressBar.OnTerminal() : null;
        return new ProgressTracker(total, bar, Options.Progress, Options.TimeProvider, State);
    }

    private EngineState State() => new(
        _limiters.InFlight, _limiters.Limit, _limiters.Ceiling, Options.RateLimits?.RequestsPerMinute, Options.RateLimits?.TokensPerMinute,
        _limiters.Learned());

    private ManagerState Gauge() => new(
        _limiters.InFlight, _limiters.Limit, _limiters.CountWaiters(), _runs.Keys.Sum(static run => run.Workers?.BackingOff ?? 0),
        _total.Bottlenecks.Present, _limiters.Learned());

    [DoesNotReturn]
    private void ThrowEnded(Run<TResponse> run, IReadOnlyList<ResponseWrapper<TResponse>> outcomes, CancellationToken cancellationToken)
    {
        throw run.StopCause is { } cause ? Ended(run, cause, outcomes) : new LlmCanceledException(outcomes, cancellationToken);
    }

    private LlmRunException Ended(Run<TResponse> run, LlmException cause, IReadOnlyList<ResponseWrapper<TResponse>> outcomes)
    {
        TokenStats stats = run.Tracker.Stats;
        long answered = stats.RequestsCompleted - stats.Failed;
        string what = $"The run stopped: {FailureTable.Sentence(cause.Message)} {FailureTable.Remedy(cause)}";
        string reason = $"{what} {answered} requests were answered until then.";
        _logger.RunStopped(reason);
        return new LlmRunException(reason, cause, outcomes);
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
