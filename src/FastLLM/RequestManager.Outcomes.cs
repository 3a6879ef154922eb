using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.Progress;
using FastLLM.Retries;

namespace FastLLM;

// Step 9, output: what becomes of a flight, and who is told.
public partial class RequestManager<TResponse>
{
    // 9 output: the flight ends, and its outcome is the verdict for everybody who waits.
    private void Complete(Worker worker)
    {
        ref Outcome outcome = ref worker.Outcome;
        if (outcome.Failure is { } failure)
        {
            outcome.Failure = failure.After(worker.Attempts);
        }

        _inFlight.End(worker.InFlightRequest, worker.Callers, worker, static (worker, callers) => Remember(worker, callers));
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
            _logger.RequestFailed(worker.InFlightRequest.Key, worker.Attempts, outcome.Failure.Kind);
        }

        worker.Callers.Clear();
    }

    private void Settle(Caller<TResponse> caller, ResponseWrapper<TResponse> wrapper, TokenCounts counts)
    {
        counts.Completed = 1;
        _tracker.Count(counts);
        if (!caller.Run.IsClosed)
        {
            caller.Run.Tracker.Count(counts);
            if (_countsRows)
            {
                CountRow(caller.Run, wrapper.Error);
            }

            caller.Run.Settle(wrapper);
        }
    }

    // What the run itself brought about, and what it is stopped for anyway, is no failure of a row.
    private void CountRow(Run<TResponse> run, LlmException? failure)
    {
        bool isRows = failure is null || (failure.FailureScope != FailureScope.Everybody && failure.Kind is not (FailureKind.NotSent or FailureKind.Canceled) && !EndsRun(failure));
        if (isRows && run.CountRow(failure is not null, _options.MaxErrors, _options.MaxErrorShare) is { } cause)
        {
            Stop(run, cause);
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
                last.Remember(worker.InFlightRequest.Key, verdict ??= Wrap(worker, caller.OrderId, isOwner: true));
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
            return new ResponseWrapper<TResponse>(failure, worker.InFlightRequest.Key, orderId)
            {
                IsShared = isShared,
                Attempts = attempts,
                Latency = latency,
                MaybeBilled = isOwner ? worker.MaybeBilled : 0,
                Cost = isOwner ? worker.CostOfFailure : null,
            };
        }

        // The built-in responses read their usage when asked: counted by now, its object need not live as long as the outcome.
        Usage? usage = outcome.Response is LlmResponse ? null : outcome.Usage;
        return new ResponseWrapper<TResponse>(outcome.Response!, worker.InFlightRequest.Key, orderId, usage)
        {
            IsCacheHit = outcome.IsCacheHit,
            IsShared = isShared && !outcome.IsCacheHit,
            Attempts = attempts,
            Latency = latency,
            MaybeBilled = isOwner ? worker.MaybeBilled : 0,
            Cost = isOwner && !outcome.IsCacheHit && !isShared ? worker.Cost + worker.Charged : null,
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

        _retries.Succeeded(worker.Failures);
        var counts = new TokenCounts { Sent = 1, Retried = worker.Attempts > 1 ? 1 : 0, Cost = worker.Cost ?? 0, Unpriced = worker.Cost is null ? 1 : 0 };
        counts.AddTokens(outcome.Usage);
        Telemetry.Tokens.Add(counts.Prompt, new KeyValuePair<string, object?>("direction", "prompt"));
        Telemetry.Tokens.Add(counts.Completion, new KeyValuePair<string, object?>("direction", "completion"));
        return counts;
    }

    private void CountFailedSend(Run<TResponse> run, Worker worker, LlmException failure, decimal charge)
    {
        var counts = new TokenCounts
        {
            Sent = 1,
            Retried = worker.Attempts > 1 ? 1 : 0,
            Throttled = failure.Kind is FailureKind.RateLimited or FailureKind.Overloaded ? 1 : 0,
            MaybeBilled = failure.MaybeBilled ? 1 : 0,
            Cost = charge,
        };
        worker.MaybeBilled += failure.MaybeBilled ? 1 : 0;
        _tracker.Count(counts);
        run.Tracker.Count(counts);
    }

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
