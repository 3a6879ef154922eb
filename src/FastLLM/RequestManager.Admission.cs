using System.Net.Http.Headers;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;

namespace FastLLM;

// Step 5, admission: the lease of a limiter, and what the limiters learn from answers.
public partial class RequestManager<TResponse>
{
    /// <summary>For the next day's requests nobody waits longer: it is better to know, and to go on tomorrow.</summary>
    private static readonly TimeSpan LongestDayWait = TimeSpan.FromHours(1);

    private TimeSpan MaxDayWait() => _options.MaxThrottleWait < LongestDayWait ? _options.MaxThrottleWait : LongestDayWait;

    // Where it returns false, the worker holds no lease and its outcome says why.
    private ValueTask<bool> AcquireLeaseAsync(Worker worker, Run<TResponse> run, LlmRequest request)
    {
        bool isRetry = worker.Attempts > 0;
        if (!isRetry)
        {
            ModelRateLimiter limiter = _limiters.Of(request.Model);
            worker.Attempt.WantsHeaders = limiter.WantsHeaders;
            if (limiter.Prepare(worker.Lease, request) is { } refusal)
            {
                worker.Outcome = Failed(refusal);
                return new ValueTask<bool>(false);
            }
        }

        if (_options.TotalTimeout is { } total && total != Timeout.InfiniteTimeSpan)
        {
            return AcquireLeaseWithinAsync(worker, run, isRetry, total - _time.GetElapsedTime(worker.Started));
        }

        ValueTask entered = worker.Lease.Limiter!.EnterAsync(worker.Lease, isRetry, worker.Attempt.Token);
        NoteBottleneck(run);
        return entered.IsCompletedSuccessfully ? new ValueTask<bool>(true) : HasEnteredAsync(worker, run, entered);
    }

    // The time of the whole request ends the waiting too.
    private async ValueTask<bool> AcquireLeaseWithinAsync(Worker worker, Run<TResponse> run, bool isRetry, TimeSpan left)
    {
        using var timer = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, worker.Attempt.Token);
        return await HasEnteredAsync(worker, run, worker.Lease.Limiter!.EnterAsync(worker.Lease, isRetry, either.Token)).ConfigureAwait(false);
    }

    private async ValueTask<bool> HasEnteredAsync(Worker worker, Run<TResponse> run, ValueTask entering)
    {
        // The next rows may be of another model, whose limiter is open. Their time must not run while they only wait for that.
        bool standsIn = !entering.IsCompleted && _options.TotalTimeout is null && _limiters.InFlight < _limiters.Ceiling;
        if (standsIn)
        {
            StandIn(run);
        }

        try
        {
            await entering.ConfigureAwait(false);
            NoteBottleneck(run);
            return true;
        }
        catch (OperationCanceledException)
        {
            worker.Outcome = Failed(worker.InFlightRequest.IsCalledOff ? NotSent(worker.LastFailure) : worker.LastFailure ?? OutOfTime());
            return false;
        }
        catch (LlmException e)
        {
            worker.Outcome = Stopped(e);
            return false;
        }
        finally
        {
            if (standsIn)
            {
                run.WorkerIsBack();
            }
        }
    }

    private void ReleaseLease(Worker worker, LeaseEnd end, in Reply<TResponse> reply)
    {
        // A refusal closes the limiter of its model, whoever found it. What else asks to wait does so in the headers, and is observed.
        TimeSpan? asked = end == LeaseEnd.Throttled ? reply.Failure!.RetryAfter ?? worker.Lease.Headers?.UntilRefilled : null;
        worker.Lease.MeetsOutage = reply.Failure is { } failure && FailureTable.IsOutage(failure.Kind);
        worker.Lease.Limiter!.Leave(worker.Lease, end, reply.Usage, asked <= _options.MaxThrottleWait ? asked.Value : TimeSpan.Zero);
        if (worker.Lease.Change != BreakerChange.None)
        {
            SayWhetherUp(worker.Lease.Change, worker.Lease.Limiter.Model, reply.Failure);
        }
    }

    // Said once an outage, not once a send.
    private void SayWhetherUp(BreakerChange change, string model, LlmException? failure)
    {
        if (change == BreakerChange.Opened)
        {
            _logger.ProviderDown(model, failure?.Kind ?? FailureKind.Unknown);
        }
        else
        {
            _logger.ProviderUp(model);
        }
    }

    // Headers of an answer. Where a provider serves several managers, what one of them hears holds for all.
    private void Observe(HttpResponseHeaders headers, Attempt? attempt)
    {
        var lease = attempt?.Owner as Lease;
        ModelRateLimiter? limiter = lease?.Limiter is { } own ? _limiters.Of(own.Model) : null;
        if (limiter is not null && ReferenceEquals(limiter, lease!.Limiter))
        {
            lease.Headers = LimitHeaders.Read(headers, RetryAfter.Parse, _time.GetUtcNow());
        }

        if (RetryAfter.Read(headers, default, _time.GetUtcNow()) is { } wait && wait > TimeSpan.Zero && wait <= _options.MaxThrottleWait
            && (limiter?.CloseFor(wait) ?? _limiters.CloseAllFor(wait)))
        {
            _logger.ProviderPause(wait);
        }
    }

    private static LeaseEnd LeaseEndOf(LlmException? failure) => failure?.Kind switch
    {
        FailureKind.RateLimited => LeaseEnd.Throttled,
        FailureKind.Overloaded => LeaseEnd.Overloaded,
        FailureKind.ConnectionRefused or FailureKind.NameNotResolved or FailureKind.Certificate => LeaseEnd.NotUsed,
        FailureKind.ServerError or FailureKind.ServerConflict or FailureKind.Timeout or FailureKind.ConnectionLost
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse => LeaseEnd.Failed,
        _ => LeaseEnd.Answered,
    };
}
