using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Progress;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM.Pipeline;

/// <summary>Delivers outcomes to the rows that await them, counts them, and stops runs that cannot continue.</summary>
internal sealed class OutcomeDelivery<TResponse>(
    InFlightTable<Caller<TResponse>> inFlight, ProgressTracker total, SendTelemetry telemetry, ILogger logger)
{
    // Long because all that an outcome changes is changed in one place: callers, counts, telemetry and the run.
    /// <summary>Ends a request. Its outcome goes to every row that waits for it; only the first of them owns the attempts and their
    /// costs.</summary>
    public void Complete(RequestContext<TResponse> context)
    {
        ref Outcome<TResponse> outcome = ref context.Outcome;
        outcome.Failure = outcome.IsShared ? outcome.Failure : outcome.Failure?.WithAttempts(context.Sends.Count);
        inFlight.End(context.InFlight, context.Callers, context, static (context, callers) => Remember(context, callers));
        TokenCounts owned = OwnersCounts(context);
        if (context.Callers.Count == 0)
        {
            // Every row has left, but the answer was paid for all the same.
            total.Count(owned);
            return;
        }

        for (var i = 0; i < context.Callers.Count; i++)
        {
            Caller<TResponse> caller = context.Callers[i];
            TokenCounts counts = i == 0 ? owned : JoinersCounts(outcome);
            if (outcome.StopCause is { } cause)
            {
                Stop(caller.Run, cause);
            }

            if (i == 0 && context.Attempt.Memory is { } memory && caller.Run.Hold(caller.OrderId, memory))
            {
                context.Attempt.Memory = null;
            }

            Settle(caller, Wrap(context, caller, isOwner: i == 0), counts, context.Request);
        }

        if (outcome.Failure is not null)
        {
            logger.RequestFailed(context.Key, context.Sends.Count, outcome.Failure.Kind);
        }
        else if (outcome.IsNewResponse)
        {
            logger.RequestAnswered(context.Key, context.Request.Model, context.Sends.Count, context.Sends.Latency);
        }
        else
        {
            logger.RequestReused(context.Key, context.Request.Model, outcome.IsCacheHit);
        }

        context.Callers.Clear();
    }

    /// <summary>Delivers the failure of a row that never became a request of its own.</summary>
    public void Refuse(Caller<TResponse> caller, RequestKey key, LlmException failure) =>
        Settle(caller, new ResponseWrapper<TResponse>(failure, key, caller.OrderId), default);

    /// <summary>Counts a failed send, for its run and over all.</summary>
    public void CountFailedSend(RequestContext<TResponse> context, LlmException failure, decimal charge)
    {
        var counts = new TokenCounts
        {
            Sent = 1,
            Retried = context.IsRetry ? 1 : 0,
            Corrected = Corrections(context),
            Throttled = failure.Kind is FailureKind.RateLimited or FailureKind.Overloaded ? 1 : 0,
            MaybeBilled = CostMeter.IsFree(failure) ? 0 : 1,
            Cost = charge,
        };
        total.Count(counts);
        context.Run.Tracker.Count(counts);
        telemetry.CountCost(context.Request, charge);
        if (counts.Throttled > 0)
        {
            telemetry.CountThrottled(context.Request, failure);
        }
    }

    /// <summary>Counts an answer that is not the outcome of its request, for its run and over all.</summary>
    public void CountRejected(RequestContext<TResponse> context)
    {
        TokenCounts counts = AnswerCounts(context);
        total.Count(counts);
        context.Run.Tracker.Count(counts);
    }

    /// <summary>Stops a run: nothing more is sent, what is in flight is awaited, and rows that are not in flight end now.</summary>
    public void Stop(Run<TResponse> run, LlmException cause)
    {
        if (!run.Stop(cause))
        {
            return;
        }

        if (cause.Kind == FailureKind.Cache)
        {
            logger.CacheFailed(cause);
        }

        var left = new List<LeftCaller<Caller<TResponse>>>();
        inFlight.LeaveWaiting(static caller => caller.Run.IsStopping, left);
        SettleLeft(left);
    }

    /// <summary>Ends a run whose outcomes are no longer wanted. Its rows leave their requests, and requests that no other row awaits are
    /// called off.</summary>
    public void Abandon(Run<TResponse> run)
    {
        run.Close();
        var left = new List<LeftCaller<Caller<TResponse>>>();
        inFlight.Leave(caller => ReferenceEquals(caller.Run, run), left);
        var canceled = new LlmException(FailureKind.Canceled, "Canceled while in flight; the provider may bill it.");
        foreach (LeftCaller<Caller<TResponse>> row in left)
        {
            run.Note(row.LastFailure is not null ? Left(row) : new ResponseWrapper<TResponse>(canceled, row.Key, row.Caller.OrderId)
            {
                Attempts = row.Attempts,
                MaybeBilled = Math.Min(row.Attempts, 1),
            });
        }

        run.End();
    }

    /// <summary>Returns whether the request may not be sent any more. The rows of a stopping run leave it first; it continues only for rows
    /// of other runs.</summary>
    public bool IsCalledOff(RequestContext<TResponse> context)
    {
        if (context.Run.IsStopping || context.InFlight.HasStopped)
        {
            var left = new List<LeftCaller<Caller<TResponse>>>();
            inFlight.LeaveWaitingOne(context.InFlight, static caller => caller.Run.IsStopping, left);
            SettleLeft(left);
        }

        return context.InFlight.IsCalledOff;
    }

    private void SettleLeft(List<LeftCaller<Caller<TResponse>>> left)
    {
        foreach (LeftCaller<Caller<TResponse>> row in left)
        {
            Settle(row.Caller, Left(row), default);
        }
    }

    private static ResponseWrapper<TResponse> Left(LeftCaller<Caller<TResponse>> row) =>
        new(Outcome<TResponse>.NotSent(row.LastFailure), row.Key, row.Caller.OrderId)
        {
            Attempts = row.Attempts,
            Unpriced = row.Unpriced,
            Cost = NotZero(row.Charged),
        };

    private void Settle(Caller<TResponse> caller, ResponseWrapper<TResponse> wrapper, TokenCounts counts, LlmRequest? request = null)
    {
        // A row that was given up because its run ended is neither completed nor failed.
        counts.Completed = wrapper.Error?.Kind is FailureKind.NotSent or FailureKind.Canceled ? 0 : 1;
        counts.Failed = wrapper.Error is null ? 0 : counts.Completed;
        total.Count(counts);
        telemetry.Count(request, wrapper);
        if (caller.Run.IsClosed)
        {
            return;
        }

        caller.Run.Tracker.Count(counts);
        if (caller.Run.FailureLimit is { } limit)
        {
            LimitErrors(caller.Run, limit, wrapper);
        }

        caller.Run.Settle(wrapper);
    }

    // What the run itself brought about, and what stops it anyway, is no failure of a row.
    private void LimitErrors(Run<TResponse> run, FailureLimit limit, ResponseWrapper<TResponse> outcome)
    {
        LlmException? failure = outcome.Error;
        bool isRows = failure is null
            || (failure.FailureScope == FailureScope.Request && failure.Kind is not (FailureKind.NotSent or FailureKind.Canceled)
                && (failure.Suspicion is not { } suspicion || run.SharedFailures.IsOwn(suspicion) == true));
        LlmException? cause = isRows ? limit.Count(failure is not null) : null;
        if ((limit.CountLate(run.SharedFailures.TakeLate()) ?? cause) is { } tooMany)
        {
            Stop(run, tooMany);
        }
    }

    // Failures are never cached, and without a cache nothing is: equal rows still to come get the outcome from their run.
    private static void Remember(RequestContext<TResponse> context, List<Caller<TResponse>> callers)
    {
        ref Outcome<TResponse> outcome = ref context.Outcome;
        if (callers.Count == 0 || outcome.IsCacheHit || outcome.IsShared || outcome.Failure?.Kind is FailureKind.NotSent)
        {
            return;
        }

        ResponseWrapper<TResponse>? wrapper = null;
        Run<TResponse>? last = null;
        bool isSuccess = outcome.Failure is null && outcome.StopCause is null;
        foreach (Caller<TResponse> caller in callers)
        {
            if (!ReferenceEquals(caller.Run, last) && caller.Run.WouldRemember(context.Key, isSuccess))
            {
                last = caller.Run;
                last.Remember(context.Key, wrapper ??= Wrap(context, caller, isOwner: true));
            }
        }
    }

    private static ResponseWrapper<TResponse> Wrap(RequestContext<TResponse> context, Caller<TResponse> caller, bool isOwner)
    {
        ref Outcome<TResponse> outcome = ref context.Outcome;
        ref SendHistory sends = ref context.Sends;
        bool isShared = outcome.IsShared || !isOwner;
        if (outcome.Failure is { } failure)
        {
            if (outcome.Suspicion is { } suspicion && ReferenceEquals(caller.Run, context.Run))
            {
                failure = failure.WithSuspicion(suspicion);
            }

            return new ResponseWrapper<TResponse>(failure, context.Key, caller.OrderId)
            {
                IsShared = isShared,
                Attempts = isOwner ? sends.Count : 0,
                Latency = isOwner ? sends.Latency : TimeSpan.Zero,
                MaybeBilled = isOwner ? sends.MaybeBilled : 0,
                Unpriced = isOwner ? sends.Unpriced : 0,
                Cost = isOwner ? NotZero(sends.Charged) : null,
            };
        }

        // The built-in responses read their usage when asked: it is counted by now, and its object need not live as long as the outcome.
        Usage? usage = outcome.Response is LlmResponse ? null : outcome.Usage;
        return new ResponseWrapper<TResponse>(outcome.Response!, context.Key, caller.OrderId, usage)
        {
            IsCacheHit = outcome.IsCacheHit,
            IsCorrected = context.Rejected is not null,
            IsShared = isShared && !outcome.IsCacheHit,
            Attempts = isOwner ? sends.Count : 0,
            Latency = isOwner ? sends.Latency : TimeSpan.Zero,
            MaybeBilled = isOwner ? sends.MaybeBilled : 0,
            Unpriced = isOwner ? sends.Unpriced : 0,
            Cost = !isOwner ? null : outcome.IsNewResponse ? sends.Cost + sends.Charged : NotZero(sends.Charged),
        };
    }

    // A failure is no response that rows could share.
    private static TokenCounts JoinersCounts(in Outcome<TResponse> outcome) => outcome.IsCacheHit
        ? new TokenCounts { CacheHits = 1 }
        : new TokenCounts { Shared = outcome.Failure is null ? 1 : 0 };

    private TokenCounts OwnersCounts(RequestContext<TResponse> context)
    {
        ref Outcome<TResponse> outcome = ref context.Outcome;
        if (outcome.IsCacheHit)
        {
            return new TokenCounts { CacheHits = 1 };
        }

        if (outcome.IsShared)
        {
            return JoinersCounts(outcome);
        }

        if (outcome.Failure is not null)
        {
            // Its sends were counted one by one.
            return default;
        }

        return AnswerCounts(context);
    }

    private TokenCounts AnswerCounts(RequestContext<TResponse> context)
    {
        ref SendHistory sends = ref context.Sends;
        var counts = new TokenCounts
        {
            Sent = 1,
            Retried = context.IsRetry ? 1 : 0,
            Corrected = Corrections(context),
            Cost = sends.Cost ?? 0,
            Unpriced = sends.Cost is null ? 1 : 0,
        };
        counts.AddTokens(context.Outcome.Usage);
        telemetry.CountCost(context.Request, counts.Cost);
        return counts;
    }

    // The first send of a correction; the others are retries.
    private static int Corrections(RequestContext<TResponse> context) => context.Rejected is not null && !context.IsRetry ? 1 : 0;

    // Zero follows from the attempts: nothing, or unknown.
    private static decimal? NotZero(decimal charged) => charged > 0 ? charged : null;
}
