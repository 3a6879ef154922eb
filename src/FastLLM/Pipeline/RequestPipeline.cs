using System.Diagnostics;
using System.Runtime.CompilerServices;
using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM.Pipeline;

/// <summary>The journey of a request. <see cref="ProcessNextAsync"/> tells it in the numbered steps of
/// <c>docs/architecture.md</c>.</summary>
/// <remarks>Holds no state: that of a request is in its <see cref="RequestContext{TResponse}"/>, that of a run in its
/// <see cref="Run{TResponse}"/>.</remarks>
internal sealed class RequestPipeline<TResponse>(
    Provider<TResponse> provider,
    RequestManagerOptions options,
    InFlightTable<Caller<TResponse>> inFlight,
    AnswerStore<TResponse>? answers,
    AdmissionControl<TResponse> admission,
    RetryBudget retryBudget,
    OutcomeDelivery<TResponse> delivery,
    AnswerChecker<TResponse> checker,
    BottleneckProbe probe,
    SendTelemetry telemetry,
    ILogger logger)
{
    // Many fields because every step of the journey is a part of its own.
    // Long because the journey is in one place.
    private readonly TimeProvider _time = options.TimeProvider;
    private readonly Func<double> _jitter = options.Jitter ?? Jitter.Next;
    private readonly SendTimeouts _timeouts = new(options);
    private readonly RetryPolicy _retryPolicy = new(options);

    /// <summary>Takes the next row of a run and sees it through.</summary>
    /// <returns>Whether there was one.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> ProcessNextAsync(RequestContext<TResponse> context, Run<TResponse> run)
    {
        // 1 Input
        ValueTask<Row> taking = run.NextAsync();
        if (!taking.IsCompleted)
        {
            probe.Note(run);
        }

        Row row = await taking.ConfigureAwait(false);
        if (row.Request is not { } request)
        {
            probe.Note(run);
            return false;
        }

        // 2 Key
        var caller = new Caller<TResponse>(run, row.OrderId);
        if (Unsendable(request, out RequestKey key) is { } refusal)
        {
            delivery.Refuse(caller, key, refusal);
            return true;
        }

        // 3 In flight: joins the request of an equal row, or leads
        context.Attempt.Reset();
        Entry entry = inFlight.Enter(key, context.InFlight, caller, static caller => !caller.Run.IsStopping, run.Check?.Identity);
        run.Entered?.Invoke();
        if (entry != Entry.Leads)
        {
            if (entry == Entry.Refused)
            {
                delivery.Refuse(caller, key, Outcome<TResponse>.NotSent());
            }

            return true;
        }

        context.Begin(run, request, row.OrderId, _time.GetTimestamp());
        run.LeftRows.Begin();
        try
        {
            // 4 Cache
            await LookUpAsync(context).ConfigureAwait(false);
            await checker.CheckAsync(context).ConfigureAwait(false);
            while (!context.Outcome.IsDecided)
            {
                if (context.Claim is { IsLost: true })
                {
                    // Another machine may have sent it meanwhile.
                    context.Outcome = await answers!.LookUpAsync(context, context.Request.Key).ConfigureAwait(false);
                    await checker.CheckAsync(context).ConfigureAwait(false);
                    continue;
                }

                // 5 Admission: slot and rate, then money
                if (!await admission.AcquireAsync(context).ConfigureAwait(false))
                {
                    break;
                }

                // 6 Send; the lease goes back when the response is in
                Reply<TResponse> reply = await SendAsync(context).ConfigureAwait(false);
                if (reply.Failure is null)
                {
                    context.Outcome = reply.HasResponse
                        ? Outcome<TResponse>.Answered(reply.Response!, reply.Usage)
                        : Outcome<TResponse>.Failed(Outcome<TResponse>.NotSent(context.Sends.LastFailure));
                    await checker.CheckAsync(context).ConfigureAwait(false);
                    if (context.Outcome.IsDecided)
                    {
                        break;
                    }

                    StopIfShared(context);
                    continue; // to the correction of the answer
                }

                // 7 Retry: no lease is held while the request backs off. Until it is decided, a run that stops waits for this row's
                // outcome.
                RetryDecision decision = Decide(context, reply.Failure);
                context.InFlight.EndSend(isFinal: decision.Action == RetryAction.GiveUp);
                if (decision.Action == RetryAction.GiveUp)
                {
                    context.Outcome = GivenUp(context, reply.Failure);
                    break;
                }

                if (delivery.IsCalledOff(context))
                {
                    context.Outcome = Outcome<TResponse>.Failed(Outcome<TResponse>.NotSent(reply.Failure));
                    break;
                }

                StopIfShared(context);
                logger.RetryScheduled(key, context.Sends.Count, reply.Failure.Kind, decision.Delay);
                if (!await BackOffAsync(context, decision).ConfigureAwait(false))
                {
                    context.Outcome = GivenUp(context, reply.Failure);
                    break;
                }
            }

            NoteCheck(context);

            // 8 Record: durable before it is delivered. If that fails, the answer is delivered all the same, and the run stops.
            KillPoint.Reached(KillPoint.AfterBodyBeforeCommit);
            if (answers is not null && context.Outcome.IsNewResponse)
            {
                context.Outcome.StopCause = await answers.RecordAsync(
                    context.Request.Key, context.Outcome.Response!, request.Model, run.Workers).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            // A fault of the engine itself. The request ends all the same, so that every row that waits for it sees the fault.
            context.Lease.Release(SendResult.NotSent);
            context.Outcome = Outcome<TResponse>.Stopped(new LlmException(FailureKind.Unknown, $"A fault of the engine: {e.Message}", e));
        }

        // 9 Outcome
        if (context.Claim is not null)
        {
            AnswerClaims<TResponse>.Release(context);
        }

        delivery.Complete(context);
        context.Attempt.Memory?.Release();
        run.LeftRows.End(context.IsFailing, request.Model, answered: context.Outcome.IsNewResponse ? context.Ticket : 0);
        if (context.Suspicion is { IsOpen: true, IsFinal: false } suspicion)
        {
            // It ended without another failure: it was called off, or was out of time.
            run.SharedFailures.Ended(suspicion);
        }

        StopIfShared(context, hasEnded: true);
        return true;
    }

    // Why the request cannot be sent whatever happens.
    private LlmException? Unsendable(LlmRequest request, out RequestKey key) => request.TryGetKey(out key, out Exception? fault)
        ? provider.Refuse(request)
        : new LlmException(FailureKind.InvalidRequest, $"The request cannot be sent: {fault.Message}", fault);

    // An equal row of the run may have ended already; otherwise the cache is asked, inside the in-flight request, then the records.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask LookUpAsync(RequestContext<TResponse> context)
    {
        if (context.Run.TryGetOutcome(context.Key, out ResponseWrapper<TResponse>? earlier))
        {
            context.Outcome = Outcome<TResponse>.Shared(earlier);
            return;
        }

        if (answers is not null)
        {
            context.Outcome = await answers.LookUpAsync(context, context.Key).ConfigureAwait(false);
        }

        if (!context.Outcome.IsDecided && context.Run.Recorded?.Find(context.Key) is { } body)
        {
            context.Outcome = Outcome<TResponse>.Shared(provider.Read(body));
        }
    }

    // Sends once, and gives the lease back. A reply with neither a response nor a failure: the request was called off before it was sent.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Reply<TResponse>> SendAsync(RequestContext<TResponse> context)
    {
        try
        {
            bool isInteractive = context.Run.IsInteractive && !context.Request.Stream;
            if (_timeouts.Next(context.Request.Model, context.Retry.Timeouts, Age(context), isInteractive, out string option)
                is not { } timeout)
            {
                return new Reply<TResponse>(context.Sends.LastFailure ?? AdmissionControl<TResponse>.OutOfTime(options));
            }

            if (delivery.IsCalledOff(context) || !context.InFlight.BeginSend())
            {
                return default;
            }

            context.Attempt.Begin(timeout, option);
            using Activity? activity = telemetry.Begin(context.Request, context.Sends.Count + 1, _time, context.Started);
            Reply<TResponse> reply = await provider.SendAsync(context.Request, context.Attempt).ConfigureAwait(false);
            context.Sends.Latency = context.Attempt.End();
            bool wasSent = reply.Failure?.Kind != FailureKind.TooManyOpenFiles;
            context.Sends.Count += wasSent ? 1 : 0;
            context.InFlight.Attempts = context.Sends.Count;
            telemetry.End(activity, context.Request, reply.Response, reply.Usage, reply.Failure, context.Sends.Latency);
            decimal charge = admission.Release(context, reply);
            if (reply.Failure is { } failure)
            {
                context.Sends.MaybeBilled += CostMeter.IsFree(failure) ? 0 : 1;
                context.InFlight.Unpriced = context.Sends.UnknownCosts;
                context.Sends.LastFailure = context.InFlight.LastFailure = failure;
                context.Attempt.Memory?.Release();
                if (wasSent)
                {
                    delivery.CountFailedSend(context, failure, charge);
                }
            }
            else
            {
                retryBudget.Succeeded(context.Retry.Failures);
                context.InFlight.EndSend(isFinal: true);
                context.Run.SharedFailures.Answered(context.Request.Model, context.Ticket, isGood: context.Run.Check is null);
            }

            return reply;
        }
        finally
        {
            context.Lease.Release(SendResult.NotSent); // does nothing after a send
        }
    }

    private RetryDecision Decide(RequestContext<TResponse> context, LlmException failure)
    {
        TimeSpan age = Age(context);
        Run<TResponse> run = context.Run;
        SendCircumstances circumstances = context.Circumstances(failure.RetryAfter);
        RetryDecision decision = _retryPolicy.Decide(context.Retry, failure, circumstances, age, _jitter());
        if (decision.Action == RetryAction.Retry)
        {
            decision = _retryPolicy.Postpone(decision, retryBudget.Take(), age);
        }

        bool isFinal = decision.Action == RetryAction.GiveUp;
        if (!context.IsFailing && !isFinal && FailureDomains.Of(failure) == FailureDomain.Passing)
        {
            context.FailingSince = context.Ticket;
            context.FailingKnownFrom = run.SharedFailures.LastSend;
            run.LeftRows.BeginFailing();
        }

        if (isFinal && RetryPolicy.IsLeftAlone(circumstances))
        {
            run.LeftRows.SayAlone();
        }

        context.Retry = decision.State;
        context.Suspicion = run.SharedFailures.Failed(
            context.Suspicion, context.Request.Model, failure, context.Ticket, isFinal, run.HasOtherRows);
        return decision;
    }

    // Answers that are all rejected have a reason that the rows share, as failures have, wherever they come from. One of an earlier run
    // says nothing of the provider.
    private static void NoteCheck(RequestContext<TResponse> context)
    {
        Run<TResponse> run = context.Run;
        bool wasSent = context.Ticket != 0;
        if (run.Check is null)
        {
            return;
        }

        if (context.Outcome.Failure is not { } failure)
        {
            if (wasSent)
            {
                run.SharedFailures.Answered(context.Request.Model, context.Ticket);
            }
            else
            {
                run.SharedFailures.Passed();
            }
        }
        else if (failure.Kind == FailureKind.InvalidAnswer && !context.Outcome.IsShared)
        {
            context.Suspicion = context.Outcome.Suspicion = run.SharedFailures.Failed(
                context.Suspicion, context.Request.Model, failure, context.Ticket, isFinal: true, hasOthers: wasSent && run.HasOtherRows);
        }
    }

    private static Outcome<TResponse> GivenUp(RequestContext<TResponse> context, LlmException failure)
    {
        failure = failure.WithAttempts(context.Sends.Count);
        return FailureTable.ActionOn(failure.Kind) == FailureAction.StopRun
            ? Outcome<TResponse>.Stopped(failure) : Outcome<TResponse>.Failed(failure, context.Suspicion);
    }

    private void StopIfShared(RequestContext<TResponse> context, bool hasEnded = false)
    {
        SharedFailureDetector detector = context.Run.SharedFailures;

        // Those that wait for a slot or back off may still be answered.
        bool hasMore = context.Run.HasMoreRows || context.Run.LeftRows.UnderWay > (hasEnded ? 0 : 1);
        LlmException? cause = detector.Returned(context.Ticket, context.Held, hasMore);
        context.Ticket = 0;
        context.Held = null;
        if (cause is not null)
        {
            delivery.Stop(context.Run, cause);
            detector.End(FailureScope.Run);
        }
    }

    // Returns whether the request is to be sent again.
    private async ValueTask<bool> BackOffAsync(RequestContext<TResponse> context, RetryDecision decision)
    {
        if (decision.Delay <= TimeSpan.Zero)
        {
            return true;
        }

        WorkerPool<TResponse> workers = context.Run.Workers;
        if (decision.Action == RetryAction.Repeat)
        {
            await DelayAsync(context, decision.Delay).ConfigureAwait(false);
            return true;
        }

        workers.BeginBackOff();
        probe.Note(context.Run);
        bool isWorthWaiting = await WaitAsync(context, decision).ConfigureAwait(false);
        workers.EndBackOff();
        return isWorthWaiting;
    }

    // A request that is to come back in an hour does not keep its run from ending: it fails as the last ones do.
    private async ValueTask<bool> WaitAsync(RequestContext<TResponse> context, RetryDecision decision)
    {
        TimeSpan left = decision.Delay;
        for (; decision.Action == RetryAction.Wait && left > RetryPolicy.MaxLastWait; left -= RetryPolicy.MaxLastWait)
        {
            await DelayAsync(context, RetryPolicy.MaxLastWait).ConfigureAwait(false);
            if (context.Attempt.IsCanceled)
            {
                return true;
            }

            if (RetryPolicy.IsLeftAlone(context.Circumstances() with { WaitsAsAsked = true }))
            {
                return false;
            }
        }

        await DelayAsync(context, left).ConfigureAwait(false);
        return true;
    }

    private async ValueTask DelayAsync(RequestContext<TResponse> context, TimeSpan delay)
    {
        try
        {
            await Task.Delay(delay, _time, context.Attempt.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Called off: it will not be sent.
        }
    }

    private TimeSpan Age(RequestContext<TResponse> context) => _time.GetElapsedTime(context.Started);
}
