using FastLLM.Pipeline;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;

namespace FastLLM;

// Steps 5 and 7, what a request waits for: a lease, a back-off; and for how long.
public partial class RequestManager<TResponse>
{
    /// <summary>The least base of the back-off where requests are throttled: without it, a delay of zero would ask again without end.</summary>
    private static readonly TimeSpan LeastThrottleDelay = TimeSpan.FromMilliseconds(20);

    /// <summary>How often a request may find the provider down before it is asked what the two have to do with each other: some make any server fail.</summary>
    private const int MaxProbes = 20;

    private static readonly TimeSpan ReasoningTimeout = TimeSpan.FromSeconds(600);

    // No lease is held while a request backs off, and another row may take the worker's place.
    private async ValueTask BackOffAsync(Worker worker, Run<TResponse> run, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            return;
        }

        StandIn(run);
        run.BackOffBegins();
        NoteBottleneck(run);
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
            run.BackOffEnds();
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
            _inFlight.LeaveWaitingOne(worker.InFlightRequest, static caller => caller.Run.IsStopping, left);
            SettleLeft(left);
        }

        return worker.InFlightRequest.IsCalledOff;
    }

    /// <summary>How long to wait before the next send; <see langword="null"/> where there is none.</summary>
    private TimeSpan? NextDelay(Worker worker, LlmException failure)
    {
        if (failure.SendAgainChanged)
        {
            return TimeSpan.Zero;
        }

        TimeSpan? delay = FailureTable.ActionOn(failure) switch
        {
            // The provider is down: the request waits at the limiter, and it is nobody's failure.
            FailureAction.Wait or FailureAction.Retry when worker.Lease.WasDown && !(worker.Lease.IsProbe && ++worker.Probes > MaxProbes) => OutageDelay(worker),
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
            ? Backoff.Delay(worker.Failures, _options.RetryDelay, failure.RetryAfter, _jitter()) + _retries.Take()
            : null;
    }

    private TimeSpan? OutageDelay(Worker worker)
    {
        if (worker.Throttles++ == 0)
        {
            worker.FirstThrottle = _time.GetTimestamp();
        }

        return _time.GetElapsedTime(worker.FirstThrottle) <= _options.MaxThrottleWait ? TimeSpan.Zero : null;
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
}
