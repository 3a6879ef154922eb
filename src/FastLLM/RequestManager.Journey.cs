using System.Diagnostics;
using System.Runtime.CompilerServices;
using FastLLM.Admission;
using FastLLM.Diagnostics;
using FastLLM.InFlight;
using FastLLM.Progress;
using FastLLM.Providers;
using FastLLM.Results;
using FastLLM.Retries;

namespace FastLLM;

// The journey of a request: the numbered steps are those of docs/architecture.md.
public partial class RequestManager<TResponse>
{
    /// <summary>The least base of the back-off where requests are throttled: without it, a delay of zero would ask again without end.</summary>
    private static readonly TimeSpan LeastThrottleDelay = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan ReasoningTimeout = TimeSpan.FromSeconds(600);

    // Takes one row after the other and sees each through, so that a finished request makes room for the next at once, on the same thread.
    private async Task WorkAsync(Run<TResponse> run)
    {
        Worker worker = RentWorker();
        try
        {
            while (!run.TryRetire(_options.Concurrency))
            {
                // 1 input
                Row row = await run.NextAsync().ConfigureAwait(false);
                if (row.Request is not { } request)
                {
                    break;
                }

                // 2 key
                var caller = new Caller<TResponse>(run, row.OrderId);
                if (Unsendable(request, out RequestKey key) is { } refusal)
                {
                    Settle(caller, new ResponseWrapper<TResponse>(refusal, key, row.OrderId), new TokenCounts { Failed = 1 });
                    continue;
                }

                // 3 in flight
                worker.Attempt.Reset();
                Entry entry = _flights.Enter(key, worker.Flight, caller, static caller => !caller.Run.IsStopping);
                if (entry == Entry.Refused)
                {
                    Settle(caller, new ResponseWrapper<TResponse>(NotSent(), key, row.OrderId), new TokenCounts { Failed = 1 });
                }
                else if (entry == Entry.Leads)
                {
                    worker.Begin(_time.GetTimestamp());
                    try
                    {
                        await FlyAsync(worker, run, request).ConfigureAwait(false);
                    }
                    catch (Exception e)
                    {
                        // A fault of the engine's own. The flight ends all the same: whoever waits gets to see it, rather than wait for ever.
                        worker.Outcome = Stopped(new LlmException(FailureKind.Unknown, $"A fault of the engine: {e.Message}", e));
                    }

                    Land(worker);
                }
            }
        }
        catch (Exception e)
        {
            run.Fault(e);
        }
        finally
        {
            ReturnWorker(worker);
        }
    }

    // The leader's part, to the outcome of the flight.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FlyAsync(Worker worker, Run<TResponse> run, LlmRequest request)
    {
        // 4 cache
        if (await TryCachedAsync(worker, run).ConfigureAwait(false))
        {
            return;
        }

        while (true)
        {
            // 5 admission
            if (!await EnterGateAsync(worker).ConfigureAwait(false))
            {
                worker.Outcome = Failed(worker.Flight.IsCalledOff ? NotSent(worker.LastFailure) : worker.LastFailure ?? OutOfTime());
                return;
            }

            // 6 send
            Reply<TResponse> reply = await SendAsync(worker, run, request).ConfigureAwait(false);
            if (reply.Failure is not { } failure)
            {
                worker.Outcome = reply.HasResponse ? new Outcome { Response = reply.Response, Usage = reply.Usage } : Failed(NotSent(worker.LastFailure));
                break;
            }

            // 7 retry
            if (NextDelay(worker, failure) is not { } delay)
            {
                worker.Outcome = EndsRun(failure) ? Stopped(failure) : Failed(failure);
                return;
            }

            if (IsCalledOff(worker, run))
            {
                worker.Outcome = Failed(NotSent(failure));
                return;
            }

            _logger.RetryScheduled(worker.Flight.Key, worker.Attempts, failure.Kind, delay);
            await BackOffAsync(worker, run, delay).ConfigureAwait(false);
        }

        // 8 record
        if (_options.Cache is { } cache && worker.Outcome.Failure is null)
        {
            await RecordAsync(worker, run, cache).ConfigureAwait(false);
        }
    }

    // 9 output: the flight ends, and its outcome is the verdict for everybody who waits.
    private void Land(Worker worker)
    {
        ref Outcome outcome = ref worker.Outcome;
        if (outcome.Failure is { } failure)
        {
            outcome.Failure = failure.After(worker.Attempts);
        }

        _flights.End(worker.Flight, worker.Callers, worker, static (worker, callers) => Remember(worker, callers));
        TokenCounts owner = OwnersCounts(worker);
        if (worker.Callers.Count == 0)
        {
            // Everybody has left, but the answer was paid for all the same.
            _tracker.Count(owner);
            return;
        }

        for (var i = 0; i < worker.Callers.Count; i++)
        {
            Caller<TResponse> caller = worker.Callers[i];
            TokenCounts counts = i == 0 ? owner : outcome.IsCacheHit ? new TokenCounts { CacheHits = 1 } : new TokenCounts { Shared = 1 };
            counts.Failed = outcome.Failure is null ? 0 : 1;
            if (outcome.StopCause is { } cause)
            {
                Stop(caller.Run, cause);
            }

            Settle(caller, Wrap(worker, caller.OrderId, isOwner: i == 0), counts);
        }

        if (outcome.Failure is not null)
        {
            Telemetry.Failures.Add(worker.Callers.Count, new KeyValuePair<string, object?>("kind", outcome.Failure.Kind.ToString()));
            _logger.RequestFailed(worker.Flight.Key, worker.Attempts, outcome.Failure.Kind);
        }

        worker.Callers.Clear();
    }

    // An equal row of the run may have had its verdict already; else the cache is asked, inside the flight.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> TryCachedAsync(Worker worker, Run<TResponse> run)
    {
        if (run.TryGetVerdict(worker.Flight.Key, out ResponseWrapper<TResponse>? verdict))
        {
            worker.Outcome = Shared(verdict);
            return true;
        }

        if (_options.Cache is not { } cache)
        {
            return false;
        }

        try
        {
            if (await cache.GetAsync(worker.Flight.Key, _scope, worker.Attempt.Token).ConfigureAwait(false) is not { } entry)
            {
                return false;
            }

            worker.Outcome = Cached(_provider.Read(entry.Body));
        }
        catch (Exception e)
        {
            worker.Outcome = worker.Attempt.IsCanceled ? Failed(NotSent()) : Stopped(CacheFailure(e, "looked up"));
        }

        return true;
    }

    // Sends once, holding the lease. A reply without response and failure: it was called off, or its time was over, before it was sent.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Reply<TResponse>> SendAsync(Worker worker, Run<TResponse> run, LlmRequest request)
    {
        var end = LeaseEnd.NotUsed;
        Reply<TResponse> reply = default;
        try
        {
            if (NextTimeout(worker, request, out string option) is not { } timeout)
            {
                return new Reply<TResponse>(worker.LastFailure ?? OutOfTime());
            }

            if (IsCalledOff(worker, run) || !worker.Flight.BeginSend())
            {
                return reply;
            }

            worker.Attempt.Begin(timeout, option);
            using (Activity? activity = Telemetry.Activities.StartActivity("fastllm.attempt"))
            {
                reply = await _provider.SendAsync(request, worker.Attempt).ConfigureAwait(false);
                activity?.SetTag("fastllm.failure", reply.Failure?.Kind.ToString());
            }

            end = LeaseEndOf(reply.Failure);
            worker.Latency = worker.Attempt.End();
            worker.Attempts++;
            Telemetry.Sends.Add(1);
            if (reply.Failure is { } failure)
            {
                worker.LastFailure = worker.Flight.LastFailure = failure;
                CountFailedSend(run, worker, failure);
            }

            worker.Flight.EndSend(isAnswered: reply.Failure is null);
            return reply;
        }
        finally
        {
            _gate.Leave(end);
        }
    }

    // Written, then acknowledged. Not given up for callers who leave: it was paid for.
    private async ValueTask RecordAsync(Worker worker, Run<TResponse> run, CacheProvider cache)
    {
        ReadOnlyMemory<byte> bytes;
        try
        {
            bytes = _provider.Write(worker.Outcome.Response!);
        }
        catch (Exception e)
        {
            _logger.AnswerNotKept(e);
            return;
        }

        try
        {
            ValueTask put = cache.PutAsync(worker.Flight.Key, new CacheEntry(bytes, _scope, 200, _time.GetUtcNow()), CancellationToken.None);
            if (put.IsCompleted)
            {
                await put.ConfigureAwait(false);
                return;
            }

            // No lease is held, so that another row may be sent meanwhile.
            StandIn(run);
            try
            {
                await put.ConfigureAwait(false);
            }
            finally
            {
                run.WorkerIsBack();
            }
        }
        catch (Exception e)
        {
            // The answer is handed out, and the run ends before it pays for more that cannot be kept.
            worker.Outcome.StopCause = CacheFailure(e, "recorded");
        }
    }

    private void Settle(Caller<TResponse> caller, ResponseWrapper<TResponse> wrapper, TokenCounts counts)
    {
        counts.Completed = 1;
        _tracker.Count(counts);
        if (!caller.Run.IsClosed)
        {
            caller.Run.Tracker.Count(counts);
            caller.Run.Settle(wrapper);
        }
    }

    // Failures are never cached, and without a cache nothing is: equal rows still to come get the verdict from their run.
    private static void Remember(Worker worker, List<Caller<TResponse>> callers)
    {
        if (callers.Count == 0 || worker.Outcome.IsCacheHit || worker.Outcome.IsShared || worker.Outcome.Failure?.Kind is FailureKind.NotSent)
        {
            return;
        }

        ResponseWrapper<TResponse>? verdict = null;
        Run<TResponse>? last = null;
        foreach (Caller<TResponse> caller in callers)
        {
            if (!ReferenceEquals(caller.Run, last) && caller.Run.WouldRemember(worker.Outcome.Failure is null && worker.Outcome.StopCause is null))
            {
                last = caller.Run;
                last.Remember(worker.Flight.Key, verdict ??= Wrap(worker, caller.OrderId, isOwner: true));
            }
        }
    }

    private static ResponseWrapper<TResponse> Wrap(Worker worker, long orderId, bool isOwner)
    {
        ref Outcome outcome = ref worker.Outcome;
        int attempts = isOwner ? worker.Attempts : 0;
        TimeSpan latency = isOwner ? worker.Latency : TimeSpan.Zero;
        bool isShared = outcome.IsShared || !isOwner;
        if (outcome.Failure is { } failure)
        {
            return new ResponseWrapper<TResponse>(failure, worker.Flight.Key, orderId)
            {
                IsShared = isShared,
                Attempts = attempts,
                Latency = latency,
                MaybeBilled = isOwner ? worker.MaybeBilled : 0,
            };
        }

        // The built-in responses read their usage when asked: counted by now, its object need not live as long as the outcome.
        Usage? usage = outcome.Response is LlmResponse ? null : outcome.Usage;
        return new ResponseWrapper<TResponse>(outcome.Response!, worker.Flight.Key, orderId, usage)
        {
            IsCacheHit = outcome.IsCacheHit,
            IsShared = isShared && !outcome.IsCacheHit,
            Attempts = attempts,
            Latency = latency,
            MaybeBilled = isOwner ? worker.MaybeBilled : 0,
        };
    }

    private TokenCounts OwnersCounts(Worker worker)
    {
        ref Outcome outcome = ref worker.Outcome;
        if (outcome.IsCacheHit)
        {
            Telemetry.CacheHits.Add(1);
            return new TokenCounts { CacheHits = 1 };
        }

        if (outcome.IsShared)
        {
            return new TokenCounts { Shared = 1 };
        }

        if (outcome.Failure is not null)
        {
            // Its sends were counted one by one.
            return default;
        }

        var counts = new TokenCounts { Sent = 1, Retried = worker.Attempts > 1 ? 1 : 0, Cost = CostOf(outcome.Response!) };
        counts.AddTokens(outcome.Usage);
        Telemetry.Tokens.Add(counts.Prompt, new KeyValuePair<string, object?>("direction", "prompt"));
        Telemetry.Tokens.Add(counts.Completion, new KeyValuePair<string, object?>("direction", "completion"));
        return counts;
    }

    private decimal CostOf(TResponse response)
    {
        try
        {
            return _provider.GetCost(response) ?? 0;
        }
        catch (Exception e)
        {
            // The answer is there and paid for; what it cost is a lesser matter.
            _logger.CostUnknown(e);
            return 0;
        }
    }

    private void CountFailedSend(Run<TResponse> run, Worker worker, LlmException failure)
    {
        var counts = new TokenCounts
        {
            Sent = 1,
            Retried = worker.Attempts > 1 ? 1 : 0,
            Throttled = failure.Kind is FailureKind.RateLimited or FailureKind.Overloaded ? 1 : 0,
            MaybeBilled = failure.MaybeBilled ? 1 : 0,
        };
        worker.MaybeBilled += failure.MaybeBilled ? 1 : 0;
        _tracker.Count(counts);
        run.Tracker.Count(counts);
    }

    private ValueTask<bool> EnterGateAsync(Worker worker)
    {
        bool isRetry = worker.Attempts > 0;
        if (_options.TotalTimeout is { } total && total != Timeout.InfiniteTimeSpan)
        {
            return EnterGateWithinAsync(worker, isRetry, total - _time.GetElapsedTime(worker.Started));
        }

        ValueTask entered = _gate.EnterAsync(isRetry, worker.Attempt.Token);
        return entered.IsCompletedSuccessfully ? new ValueTask<bool>(true) : HasEnteredAsync(entered);
    }

    // The time of the whole request ends the waiting too.
    private async ValueTask<bool> EnterGateWithinAsync(Worker worker, bool isRetry, TimeSpan left)
    {
        using var timer = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, worker.Attempt.Token);
        return await HasEnteredAsync(_gate.EnterAsync(isRetry, either.Token)).ConfigureAwait(false);
    }

    private static async ValueTask<bool> HasEnteredAsync(ValueTask entering)
    {
        try
        {
            await entering.ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    // No lease is held while a request backs off, and another row may take the worker's place.
    private async ValueTask BackOffAsync(Worker worker, Run<TResponse> run, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            return;
        }

        StandIn(run);
        try
        {
            await Task.Delay(delay, _time, worker.Attempt.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Called off: it will not be sent.
        }
        finally
        {
            run.WorkerIsBack();
        }
    }

    private void StandIn(Run<TResponse> run)
    {
        if (run.WorkerWaits(_mostWaiting))
        {
            StartWorker(run);
        }
    }

    // A run that stops sends nothing more: its rows leave the flight, which goes on only for rows of other runs.
    private bool IsCalledOff(Worker worker, Run<TResponse> run)
    {
        if (run.IsStopping)
        {
            var left = new List<LeftCaller<Caller<TResponse>>>();
            _flights.LeaveWaitingOne(worker.Flight, static caller => caller.Run.IsStopping, left);
            SettleLeft(left);
        }

        return worker.Flight.IsCalledOff;
    }

    /// <summary>How long to wait before the next send; <see langword="null"/> where there is none.</summary>
    private TimeSpan? NextDelay(Worker worker, LlmException failure)
    {
        if (failure.SendAgainChanged)
        {
            return TimeSpan.Zero;
        }

        TimeSpan? delay = FailureTable.ActionOn(failure.Kind) switch
        {
            FailureAction.Wait => ThrottleDelay(worker, failure),
            FailureAction.Retry or FailureAction.RetryThenStop => RetryDelay(worker, failure),
            _ => null,
        };
        return delay is { } wait && _options.TotalTimeout is { } total && _time.GetElapsedTime(worker.Started) + wait >= total ? null : delay;
    }

    private TimeSpan? RetryDelay(Worker worker, LlmException failure)
    {
        worker.Timeouts += failure.Kind == FailureKind.Timeout ? 1 : 0;
        return ++worker.Failures < _options.RetryAttempts && !(failure.RetryAfter > _options.MaxThrottleWait)
            ? Backoff.Delay(worker.Failures, _options.RetryDelay, failure.RetryAfter, _jitter())
            : null;
    }

    private TimeSpan? ThrottleDelay(Worker worker, LlmException failure)
    {
        if (worker.Throttles++ == 0)
        {
            worker.FirstThrottle = _time.GetTimestamp();
        }

        TimeSpan baseDelay = _options.RetryDelay > LeastThrottleDelay ? _options.RetryDelay : LeastThrottleDelay;
        TimeSpan delay = Backoff.Delay(worker.Throttles, baseDelay, failure.RetryAfter, _jitter());
        return _time.GetElapsedTime(worker.FirstThrottle) + delay <= _options.MaxThrottleWait ? delay : null;
    }

    /// <summary>How long the next send may take; <see langword="null"/> where the request's time is over.</summary>
    private TimeSpan? NextTimeout(Worker worker, LlmRequest request, out string option)
    {
        option = nameof(RequestManagerOptions.Timeout);
        TimeSpan timeout = _options.TimeoutChosen || !ModelQuirks.Reasons(request.Model) ? _options.Timeout : ReasoningTimeout;
        if (worker.Timeouts > 0 && timeout != Timeout.InfiniteTimeSpan)
        {
            // It was too short once: each time it gets double.
            timeout *= Math.Pow(2, Math.Min(worker.Timeouts, 10));
        }

        if (_options.TotalTimeout is not { } total || total == Timeout.InfiniteTimeSpan)
        {
            return timeout;
        }

        TimeSpan left = total - _time.GetElapsedTime(worker.Started);
        if (timeout == Timeout.InfiniteTimeSpan || left < timeout)
        {
            option = nameof(RequestManagerOptions.TotalTimeout);
            timeout = left;
        }

        return left <= TimeSpan.Zero ? null : timeout;
    }

    private static LeaseEnd LeaseEndOf(LlmException? failure) => failure?.Kind switch
    {
        FailureKind.RateLimited or FailureKind.Overloaded => LeaseEnd.Throttled,
        FailureKind.ServerError or FailureKind.ServerConflict or FailureKind.Timeout or FailureKind.ConnectionLost or FailureKind.ConnectionRefused
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse => LeaseEnd.Failed,
        _ => LeaseEnd.Answered,
    };

    private static bool EndsRun(LlmException failure) =>
        FailureTable.ActionOn(failure.Kind) is FailureAction.StopRun or FailureAction.RetryThenStop;

    /// <summary>Why the request cannot be sent whatever happens, or <see langword="null"/>.</summary>
    private LlmException? Unsendable(LlmRequest request, out RequestKey key) => request.TryGetKey(out key, out Exception? fault)
        ? _provider.Refuse(request)
        : new LlmException(FailureKind.InvalidRequest, $"The request cannot be sent: {fault.Message}", fault);

    private static Outcome Failed(LlmException failure) => new() { Failure = failure };

    private static Outcome Stopped(LlmException failure) => new() { Failure = failure, StopCause = failure };

    private Outcome Cached(TResponse response) => new()
    {
        Response = response,
        IsCacheHit = true,
        Usage = response is LlmResponse ? null : _provider.GetUsage(response),
    };

    private static Outcome Shared(ResponseWrapper<TResponse> verdict) => verdict.Error is { } failure
        ? new Outcome { Failure = failure, IsShared = true }
        : new Outcome { Response = verdict.Response, Usage = verdict.Usage, IsShared = true };

    // A run that ends is no verdict on its rows: what had failed for a passing reason would have been sent again.
    private static LlmException NotSent(LlmException? lastFailure = null) => lastFailure is null
        ? new LlmException(FailureKind.NotSent, "Not sent: the run ended first.")
        : new LlmException(FailureKind.NotSent, $"Not sent again: the run ended first. The last send failed: {lastFailure.Message}", lastFailure);

    private LlmException OutOfTime() => new(FailureKind.Timeout, $"Not sent within {_options.TotalTimeout} ({nameof(RequestManagerOptions.TotalTimeout)}).");

    private static LlmException CacheFailure(Exception cause, string what) =>
        new(FailureKind.Cache, $"An answer could not be {what} in the cache: {cause.Message}", cause);
}
