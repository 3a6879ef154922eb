using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using FastLLM.Costs;
using FastLLM.Providers;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Represents a run over a stream of any length, whose outcomes are returned as they come.</summary>
internal sealed class StreamRun<TResponse> : Run<TResponse>
{
    // Many fields because rows come and outcomes leave at the same time, each counted for the other side.
    private readonly RowSource _rows;
    private readonly SuspectBuffer<TResponse> _suspects;
    private readonly Channel<ResponseWrapper<TResponse>> _outcomes =
        Channel.CreateUnbounded<ResponseWrapper<TResponse>>(new() { SingleReader = true });
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<long, ResponseMemory.Share> _held = new();
    private readonly bool _hasCache;
    private readonly RunSettings _settings;
    private Exception? _fault;
    private long _settled;
    private long _consumed;
    private int _prepaid;
    private volatile bool _isLeft;

    public StreamRun(
        IAsyncEnumerable<LlmRequest> rows, int window, ProgressTracker tracker, BudgetAccount? account,
        SharedFailureDetector sharedFailures, RunSettings settings, bool hasCache, TimeProvider time)
        : base(tracker, account, remembersAnswers: false, sharedFailures)
    {
        _rows = new RowSource(rows, window, CompleteIfDone);
        sharedFailures.AwaitsRows = () => _rows.IsAwaited;
        sharedFailures.MayReadMore = () => !_rows.IsExhausted && !_rows.IsFull;
        sharedFailures.WasAnswered = settings.WasAnswered;
        _settings = settings;
        _suspects = new SuspectBuffer<TResponse>(settings.HoldsSuspects, Deliver, DecideIfIdle, time);
        _hasCache = hasCache;
        Recorded = settings.Recorded;
    }

    /// <summary>Gets the outcomes as they come. Enumerating them starts the run; once.</summary>
    public IAsyncEnumerable<ResponseWrapper<TResponse>> Outcomes { get; set; } = null!;

    /// <summary>Gets a snapshot of the run.</summary>
    public TokenStats Stats => Tracker.Stats;

    /// <summary>Gets what limits the run now.</summary>
    public Bottleneck Bottleneck => Tracker.Bottlenecks.Present;

    public override Task Completion => _done.Task;

    public override bool HasMoreRows => !_rows.IsExhausted;

    public override bool HasOtherRows => !_rows.IsExhausted || _rows.Taken > 1;

    /// <remarks>The window is full, and not only of rows that are under way.</remarks>
    public override bool IsHeldUpByConsumer => _rows.IsFull && Volatile.Read(ref _settled) > Volatile.Read(ref _consumed);

    /// <summary>Gets what the stream of rows threw, if it did.</summary>
    public Exception? SourceFault => _fault ?? _rows.Fault;

    /// <inheritdoc/>
    public override IRecordedAnswers? Recorded { get; }

    protected override int MaxFailures => 1 << 16;

    /// <inheritdoc/>
    public override bool WouldRemember(RequestKey key, bool isSuccess) => !isSuccess || (!_hasCache && Recorded?.MayRepeat(key) == true);

    /// <summary>Returns what the run has cost, in US dollars, as far as prices are known.</summary>
    /// <param name="withReserved">Whether what is reserved for sends in flight counts too.</param>
    public decimal Cost(bool withReserved = false) => Account?.Cost(withReserved) ?? Tracker.Stats.Cost;

    /// <summary>Notes that an outcome is recorded in the output, with its cost.</summary>
    public void NoteRecorded(ResponseWrapper<TResponse> outcome, decimal cost)
    {
        Account?.Record(cost);
        Forget(outcome);
    }

    public override ValueTask<Row> NextAsync() => _rows.NextAsync();

    /// <summary>Waits until no request is under way, after the run was abandoned.</summary>
    public Task WhenNoneIsUnderWayAsync() => LeftRows.WhenNoneAsync();

    /// <summary>Waits for an outcome.</summary>
    /// <returns>Whether there is one; if not, the run has ended.</returns>
    public ValueTask<bool> WaitForOutcomeAsync() => _outcomes.Reader.WaitToReadAsync(CancellationToken.None);

    /// <summary>Takes an outcome, which makes room for a row when the consumer has processed it (<see cref="Free"/>).</summary>
    public bool TryTake([NotNullWhen(true)] out ResponseWrapper<TResponse>? outcome) => _outcomes.Reader.TryRead(out outcome);

    /// <summary>Makes room for a row: the consumer has processed the outcome of row <paramref name="orderId"/>.</summary>
    public void Free(long orderId)
    {
        if (!_held.IsEmpty && _held.TryRemove(orderId, out ResponseMemory.Share? memory))
        {
            memory.Release();
        }

        Interlocked.Increment(ref _consumed);
        if (Interlocked.Decrement(ref _prepaid) < 0)
        {
            Interlocked.Increment(ref _prepaid);
            _rows.Free();
        }
    }

    public override void Settle(ResponseWrapper<TResponse> outcome)
    {
        if (_suspects.Pass(outcome) is { } final)
        {
            _suspects.Deliver();
            _outcomes.Writer.TryWrite(final);
        }
        else
        {
            // A held outcome takes no room: a decision may need rows that are still to come.
            _rows.Free();
        }

        Interlocked.Increment(ref _settled);
        CompleteIfDone();
        if (SharedFailures.IsWatching && IsIdle)
        {
            _suspects.DecideLater();
        }
    }

    public override void Fault(Exception exception)
    {
        _fault ??= exception;
        Close();
        Finish();
    }

    public override bool Stop(LlmException cause)
    {
        bool first = base.Stop(cause);
        _rows.End();
        CompleteIfDone();
        return first;
    }

    public override void End() => Finish();

    /// <remarks>The memory of a large response is held until the consumer has processed it.</remarks>
    public override bool Hold(long orderId, ResponseMemory.Share memory)
    {
        _held[orderId] = memory;
        if (_isLeft)
        {
            ReleaseHeld();
        }

        return true;
    }

    /// <summary>Disposes the stream of rows, and releases the memory of responses that the consumer has left.</summary>
    public Task LeaveRowsAsync()
    {
        _isLeft = true;
        ReleaseHeld();
        return _rows.LeaveAsync();
    }

    private void ReleaseHeld()
    {
        foreach (long orderId in _held.Keys)
        {
            if (_held.TryRemove(orderId, out ResponseMemory.Share? memory))
            {
                memory.Release();
            }
        }
    }

    // A held outcome made room for its row when it was held.
    private void Deliver(ResponseWrapper<TResponse> held)
    {
        Interlocked.Increment(ref _prepaid);
        _outcomes.Writer.TryWrite(held);
    }

    // No row is under way, and more may come.
    private bool IsIdle => !_rows.IsExhausted && !IsStopping && Volatile.Read(ref _settled) >= _rows.Taken;

    // Who feeds the run may wait for its outcome, or for its end; a job does not. A person who has the wrong key does not wait for long.
    private void DecideIfIdle(bool isLast)
    {
        if (IsIdle)
        {
            StopIfShared(!_settings.HoldsSuspects ? Patience.None
                : _settings.IsFedFreely && !isLast ? Patience.IfFewFailed : Patience.IfAnswered);
            _suspects.Deliver();
        }
    }

    private void CompleteIfDone()
    {
        if ((_rows.IsExhausted || IsStopping) && Volatile.Read(ref _settled) >= _rows.Taken)
        {
            StopIfShared();
            Finish();
        }
    }

    private void StopIfShared(Patience patience = Patience.None)
    {
        if (!IsStopping && SourceFault is null && DecideNow(patience) is { } cause)
        {
            Stop(cause);
        }
    }

    private void Finish()
    {
        // A run that ended early has not shown whose failures they are: those rows stay pending, since asking for them again costs nothing.
        _suspects.Deliver(IsStopping || SourceFault is not null ? FailureScope.Run : FailureScope.Request);
        _suspects.Stop();
        _outcomes.Writer.TryComplete();
        _done.TrySetResult();
        _rows.End();
    }
}
