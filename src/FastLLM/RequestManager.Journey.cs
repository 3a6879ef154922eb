using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
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
                if (!TryGetKey(request, out RequestKey key, out LlmException? unreadable))
                {
                    Settle(caller, new ResponseWrapper<TResponse>(unreadable, key, row.OrderId), new TokenCounts { Failed = 1 });
                    continue;
                }

                // 3 in flight
                worker.Attempt.Reset();
                if (_flights.Enter(key, worker.Flight, caller, static caller => !caller.Run.IsClosed) == Entry.Leads)
                {
                    worker.Begin(_time.GetTimestamp());
                    await FlyAsync(worker, run, request).ConfigureAwait(false);
                    Land(worker);
                }
            }
        }
        catch (Exception e)
        {
            // A fault of the engine's own: whoever waits gets to see it, rather than wait for ever.
            run.Fault(e);
            worker.Callers.ForEach(caller => caller.Run.Fault(e));
        }
        finally
        {
            ReturnWorker(worker);
            run.WorkerEnds();
        }
    }

    // The leader's part, to the outcome of the flight.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FlyAsync(Worker worker, Run<TResponse> run, LlmRequest request)
    {
        Attempt attempt = worker.Attempt;
        RequestKey key = worker.Flight.Key;
        Reply<TResponse> reply;

        // 4 cache
        if (run.TryGetVerdict(key, out ResponseWrapper<TResponse>? verdict))
        {
            worker.Outcome = Shared(verdict);
            return;
        }

        if (_options.Cache is { } cache)
        {
            try
            {
                if (await cache.GetAsync(key, _scope, attempt.Token).ConfigureAwait(false) is { } entry)
                {
                    worker.Outcome = Cached(_provider.Read(entry.Body));
                    return;
                }
            }
            catch (Exception e)
            {
                worker.Outcome = attempt.IsCanceled ? Failed(NotSent()) : Stopped(CacheFailure(e, "looked up"));
                return;
            }
        }

        while (true)
        {
            // 5 admission
            if (!await EnterGateAsync(attempt, isRetry: worker.Attempts > 0).ConfigureAwait(false))
            {
                worker.Outcome = Failed(worker.LastFailure ?? NotSent());
                return;
            }

            if (NextTimeout(worker, request) is not { } timeout || !worker.Flight.BeginSend())
            {
                _gate.Leave(LeaseEnd.NotUsed);
                worker.Outcome = Failed(worker.LastFailure ?? (worker.Flight.IsCalledOff ? NotSent() : OutOfTime()));
                return;
            }

            // 6 send
            attempt.Begin(timeout);
            using (Activity? activity = Telemetry.Activities.StartActivity("fastllm.attempt"))
            {
                reply = await _provider.SendAsync(request, attempt).ConfigureAwait(false);
                activity?.SetTag("fastllm.failure", reply.Failure?.Kind.ToString());
            }

            worker.Latency = attempt.End();
            worker.Flight.EndSend();
            _gate.Leave(LeaseEndOf(reply.Failure));
            if (reply.Failure is { Kind: FailureKind.NotSupported } unsent)
            {
                worker.Outcome = Failed(unsent);
                return;
            }

            worker.Attempts++;
            Telemetry.Sends.Add(1);
            if (reply.Failure is not { } failure)
            {
                break;
            }

            // 7 retry
            CountFailedSend(run, worker, failure);
            worker.LastFailure = failure;
            if (NextDelay(worker, failure) is not { } delay)
            {
                worker.Outcome = EndsRun(failure) ? Stopped(failure) : Failed(failure);
                return;
            }

            _logger.RetryScheduled(key, worker.Attempts, failure.Kind, delay);
            await BackOffAsync(run, attempt, delay).ConfigureAwait(false);
        }

        // 8 record
        worker.Outcome = new Outcome { Response = reply.Response, Usage = reply.Usage };
        if (_options.Cache is not null)
        {
            try
            {
                var entry = new CacheEntry(_provider.Write(reply.Response!), _scope, 200, _time.GetUtcNow());
                await _options.Cache.PutAsync(key, entry, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // The answer was paid for: it is handed out, and the run ends before it pays for more that cannot be kept.
                worker.Outcome.StopCause = CacheFailure(e, "recorded");
            }
        }
    }

    // 9 output: the flight ends, and its outcome is the verdict for everybody who waits.
    private void Land(Worker worker)
    {
        _flights.End(worker.Flight, worker.Callers, worker, static (worker, callers) => Remember(worker, callers));
        ref Outcome outcome = ref worker.Outcome;
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
            bool isOwner = i == 0;
            TokenCounts counts = isOwner ? owner : new TokenCounts { Shared = 1 };
            counts.Failed = outcome.Failure is null ? 0 : 1;
            if (outcome.StopCause is { } cause)
            {
                Stop(caller.Run, cause);
            }

            Settle(caller, Wrap(worker, caller.OrderId, isOwner), counts);
        }

        if (outcome.Failure is { } failure)
        {
            Telemetry.Failures.Add(worker.Callers.Count, new KeyValuePair<string, object?>("kind", failure.Kind.ToString()));
            _logger.RequestFailed(worker.Flight.Key, worker.Attempts, failure.Kind);
        }

        if (outcome.StopCause is not null)
        {
            _flights.CallOffWaiting(static caller => caller.Run.IsStopping);
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
            if (!ReferenceEquals(caller.Run, last) && caller.Run.WouldRemember(worker.Outcome.Failure is null))
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
            failure.Attempts = Math.Max(failure.Attempts, worker.Attempts);
            return new ResponseWrapper<TResponse>(failure, worker.Flight.Key, orderId) { IsShared = isShared, Attempts = attempts, Latency = latency };
        }

        return new ResponseWrapper<TResponse>(outcome.Response!, worker.Flight.Key, orderId, outcome.Usage)
        {
            IsCacheHit = outcome.IsCacheHit,
            IsShared = isShared && !outcome.IsCacheHit,
            Attempts = attempts,
            Latency = latency,
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
        _tracker.Count(counts);
        run.Tracker.Count(counts);
    }

    private async ValueTask<bool> EnterGateAsync(Attempt attempt, bool isRetry)
    {
        try
        {
            await _gate.EnterAsync(isRetry, attempt.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    // No lease is held while a request backs off, and another row may take the worker's place.
    private async ValueTask BackOffAsync(Run<TResponse> run, Attempt attempt, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            return;
        }

        if (run.WorkerWaits(_mostWaiting))
        {
            StartWorker(run);
        }

        try
        {
            await Task.Delay(delay, _time, attempt.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Called off: the gate will not let it pass.
        }
        finally
        {
            run.WorkerIsBack();
        }
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
        return ++worker.Failures < _options.RetryAttempts
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
    private TimeSpan? NextTimeout(Worker worker, LlmRequest request)
    {
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
        return left <= TimeSpan.Zero ? null : timeout == Timeout.InfiniteTimeSpan || left < timeout ? left : timeout;
    }

    private void Stop(Run<TResponse> run, LlmException cause)
    {
        if (run.Stop(cause) && cause.Kind == FailureKind.Cache)
        {
            _logger.CacheFailed(cause);
        }
    }

    private static LeaseEnd LeaseEndOf(LlmException? failure) => failure?.Kind switch
    {
        FailureKind.RateLimited or FailureKind.Overloaded => LeaseEnd.Throttled,
        FailureKind.ServerError or FailureKind.ServerConflict or FailureKind.Timeout or FailureKind.ConnectionLost or FailureKind.ConnectionRefused
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse => LeaseEnd.Failed,
        FailureKind.NotSupported => LeaseEnd.NotUsed,
        _ => LeaseEnd.Answered,
    };

    private static bool EndsRun(LlmException failure) =>
        FailureTable.ActionOn(failure.Kind) is FailureAction.StopRun or FailureAction.RetryThenStop;

    private static bool TryGetKey(LlmRequest request, out RequestKey key, [NotNullWhen(false)] out LlmException? unreadable)
    {
        try
        {
            key = request.Key;
            unreadable = null;
            return true;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            key = default;
            unreadable = new LlmException(FailureKind.InvalidRequest, $"The request cannot be sent: {e.Message}", e);
            return false;
        }
    }

    private static Outcome Failed(LlmException failure) => new() { Failure = failure };

    private static Outcome Stopped(LlmException failure) => new() { Failure = failure, StopCause = failure };

    private Outcome Cached(TResponse response) => new()
    {
        Response = response,
        IsCacheHit = true,

        // The built-in responses read their usage when asked.
        Usage = response is LlmResponse ? null : _provider.GetUsage(response),
    };

    private static Outcome Shared(ResponseWrapper<TResponse> verdict) => verdict.Error is { } failure
        ? new Outcome { Failure = failure, IsShared = true }
        : new Outcome { Response = verdict.Response, Usage = verdict.Usage, IsShared = true };

    private static LlmException NotSent() => new(FailureKind.NotSent, "Not sent: the run ended first.");

    private LlmException OutOfTime() => new(FailureKind.Timeout, $"Not sent within {_options.TotalTimeout} ({nameof(RequestManagerOptions.TotalTimeout)}).");

    private static LlmException CacheFailure(Exception cause, string what) =>
        new(FailureKind.Cache, $"An answer could not be {what} in the cache: {cause.Message}", cause);
}
