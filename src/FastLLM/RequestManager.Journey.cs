using System.Diagnostics;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.Progress;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;

namespace FastLLM;

// The journey of a request: the numbered steps are those of docs/architecture.md.
public partial class RequestManager<TResponse>
{
    // Takes one row after the other and sees each through, so that a finished request makes room for the next at once, on the same thread.
    private async Task WorkAsync(Run<TResponse> run)
    {
        Worker worker = RentWorker();
        try
        {
            while (!run.TryRetire(_options.Concurrency))
            {
                // 1 input
                ValueTask<Row> next = run.NextAsync();
                if (!next.IsCompleted)
                {
                    NoteBottleneck(run);
                }

                Row row = await next.ConfigureAwait(false);
                if (row.Request is not { } request)
                {
                    NoteBottleneck(run);
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
                Entry entry = _inFlight.Enter(key, worker.InFlightRequest, caller, static caller => !caller.Run.IsStopping);
                if (entry == Entry.Refused)
                {
                    Settle(caller, new ResponseWrapper<TResponse>(NotSent(), key, row.OrderId), new TokenCounts { Failed = 1 });
                }
                else if (entry == Entry.Leads)
                {
                    worker.Begin(_time.GetTimestamp());
                    try
                    {
                        await ExecuteAsync(worker, run, request).ConfigureAwait(false);
                    }
                    catch (Exception e)
                    {
                        // A fault of the engine's own. The flight ends all the same: whoever waits gets to see it, rather than wait for ever.
                        worker.Outcome = Stopped(new LlmException(FailureKind.Unknown, $"A fault of the engine: {e.Message}", e));
                    }

                    Complete(worker);
                    JudgeBeginning(run);
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
    private async ValueTask ExecuteAsync(Worker worker, Run<TResponse> run, LlmRequest request)
    {
        // 4 cache
        if (await TryCachedAsync(worker, run).ConfigureAwait(false))
        {
            return;
        }

        while (true)
        {
            // 5 admission: the limiter, then the money where there is a budget, so that no more is set aside than may be in flight
            if (!await AcquireLeaseAsync(worker, run, request).ConfigureAwait(false))
            {
                return;
            }

            if (_spending is { } spending && !await ReserveAsync(worker, run, request, spending).ConfigureAwait(false))
            {
                ReleaseLease(worker, LeaseEnd.NotUsed, default);
                return;
            }

            if (run.FailFastDetector.IsOpen && !(worker.IsOfBeginning = run.FailFastDetector.MaySend(out Task verdict)))
            {
                ReleaseReservation(worker);
                ReleaseLease(worker, LeaseEnd.NotUsed, default);
                await verdict.ConfigureAwait(false);
                continue;
            }

            // 6 send
            Reply<TResponse> reply = await SendAsync(worker, run, request).ConfigureAwait(false);
            if (reply.Failure is not { } failure)
            {
                worker.Outcome = reply.HasResponse ? new Outcome { Response = reply.Response, Usage = reply.Usage } : Failed(NotSent(worker.LastFailure));
                break;
            }

            // 7 retry; until it is known whether there is one, a run that stops waits for this row's outcome
            TimeSpan? next = NextDelay(worker, failure);
            worker.InFlightRequest.EndSend(isFinal: next is null);
            if (next is not { } delay)
            {
                failure = failure.After(worker.Attempts);
                if (run.FailFastDetector.IsOpen)
                {
                    run.FailFastDetector.Failed(failure);
                }

                worker.Outcome = EndsRun(failure) ? Stopped(failure) : Failed(failure);
                return;
            }

            if (IsCalledOff(worker, run))
            {
                worker.Outcome = Failed(NotSent(failure));
                return;
            }

            JudgeBeginning(run);
            _logger.RetryScheduled(worker.InFlightRequest.Key, worker.Attempts, failure.Kind, delay);
            await BackOffAsync(worker, run, delay).ConfigureAwait(false);
        }

        // 8 record
        KillPoint.Reached(KillPoint.AfterBodyBeforeCommit);
        if (_options.Cache is { } cache && worker.Outcome.Failure is null)
        {
            await RecordAsync(worker, run, request, cache).ConfigureAwait(false);
        }
    }

    // An equal row of the run may have had its verdict already; else the cache is asked, inside the flight.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> TryCachedAsync(Worker worker, Run<TResponse> run)
    {
        if (run.TryGetOutcome(worker.InFlightRequest.Key, out ResponseWrapper<TResponse>? verdict))
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
            if (await cache.GetAsync(worker.InFlightRequest.Key, _scope, worker.Attempt.Token).ConfigureAwait(false) is not { } entry)
            {
                return false;
            }

            TResponse response = _provider.Read(entry.Body);
            if (IsToRefresh(response, entry.CreatedAt))
            {
                return false;
            }

            worker.Outcome = Cached(response);
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

            if (IsCalledOff(worker, run) || !worker.InFlightRequest.BeginSend())
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
            decimal charge = SettleCost(worker, request, reply);
            if (reply.Failure is { } failure)
            {
                worker.LastFailure = worker.InFlightRequest.LastFailure = failure;
                CountFailedSend(run, worker, failure, charge);
            }
            else
            {
                worker.InFlightRequest.EndSend(isFinal: true);
            }

            return reply;
        }
        finally
        {
            ReleaseReservation(worker); // where nothing was sent
            ReleaseLease(worker, end, reply);
            if (worker.IsOfBeginning)
            {
                worker.IsOfBeginning = false;
                run.FailFastDetector.CameBack(reply.HasResponse);
            }
        }
    }

    // Where all that was asked so far was refused in the same way, asking on is pointless.
    private void JudgeBeginning(Run<TResponse> run)
    {
        if (run.FailFastDetector.IsOpen && run.FailFastDetector.Judge(run.HasMoreRows) is { } cause)
        {
            Stop(run, cause);
            run.FailFastDetector.Close();
        }
    }

    private bool IsToRefresh(TResponse response, DateTimeOffset createdAt)
    {
        if (_options.RefreshFinishReasons.Count == 0 || createdAt >= _born)
        {
            return false;
        }

        return _options.RefreshFinishReasons.Contains(RequestManagerOptions.AnyFinishReason)
            || (response is ChatCompletion chat && chat.Choices.Any(choice => choice.FinishReason is { } reason && _options.RefreshFinishReasons.Contains(reason)));
    }

    private static bool EndsRun(LlmException failure) =>
        FailureTable.ActionOn(failure.Kind) is FailureAction.StopRun or FailureAction.RetryThenStop;

    /// <summary>Why the request cannot be sent whatever happens, or <see langword="null"/>.</summary>
    private LlmException? Unsendable(LlmRequest request, out RequestKey key) => request.TryGetKey(out key, out Exception? fault)
        ? _provider.Refuse(request)
        : new LlmException(FailureKind.InvalidRequest, $"The request cannot be sent: {fault.Message}", fault);
}
