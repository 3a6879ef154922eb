using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM.Pipeline;

/// <summary>Gives out leases, and takes them back with what their sends took.</summary>
internal sealed class AdmissionControl<TResponse> : IDisposable
{
    // Long because slot, rate and money are taken and given back in one place, in one order.
    private readonly Provider<TResponse> _provider;
    private readonly RequestManagerOptions _options;
    private readonly RateLimiters _limiters;
    private readonly CostMeter _costs;
    private readonly BottleneckProbe _probe;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HeaderObserver _observer;
    private bool _saidUnknown;

    public AdmissionControl(
        Provider<TResponse> provider, RequestManagerOptions options, RateLimiters limiters,
            CostMeter costs, BottleneckProbe probe, ILogger logger)
    {
        _provider = provider;
        _options = options;
        _limiters = limiters;
        _costs = costs;
        _probe = probe;
        _time = options.TimeProvider;
        _logger = logger;
        _observer = HeaderObserver.Start(provider, limiters, options, logger);
    }

    /// <summary>Waits until the request may be sent: for the limiter of its model first, then for money, so that no more is reserved than
    /// may be in flight.</summary>
    /// <returns>Whether the context holds a lease now. If not, its outcome says why.</returns>
    public ValueTask<bool> AcquireAsync(RequestContext<TResponse> context)
    {
        if (context.IsUnsent)
        {
            ModelRateLimiter limiter = _limiters.Of(context.Request.Model);
            context.Attempt.WantsHeaders = limiter.WantsHeaders;
            if (limiter.Prepare(context.Lease.Rate, context.Request) is { } refusal)
            {
                context.Outcome = Outcome<TResponse>.Failed(refusal);
                return new ValueTask<bool>(false);
            }
        }

        if (SendGate.Refuses(context))
        {
            return new ValueTask<bool>(false);
        }

        if (_options.TotalTimeout is not null || context.Sends.Count > 0)
        {
            return AcquireSlowAsync(context, null);
        }

        ValueTask entering = EnterAsync(context, context.Attempt.Token);
        if (!entering.IsCompletedSuccessfully || context.Run.Account is not null || context.Run.SharedFailures.IsHolding)
        {
            return AcquireSlowAsync(context, entering);
        }

        context.Lease.Admitted();
        context.Ticket = context.Run.SharedFailures.Begin();
        return new ValueTask<bool>(true);
    }

    /// <summary>Takes the lease of a finished send back.</summary>
    /// <returns>What stays charged for a failed send.</returns>
    public decimal Release(RequestContext<TResponse> context, in Reply<TResponse> reply)
    {
        Lease lease = context.Lease;
        decimal charge;
        if (reply.Failure is { } failure)
        {
            if (failure.Kind == FailureKind.TooManyOpenFiles)
            {
                _limiters.LowerCeiling();
            }

            TimeSpan? retryAfter = failure.RetryAfter ?? lease.Rate.RetryAfter;
            if (SendResult.EndOf(failure) == LeaseEnd.Throttled && lease.Rate.Headers?.UntilRefilled is { } untilRefilled)
            {
                // Nothing is left of a limit that all requests share.
                Pause(lease.Rate, retryAfter ?? untilRefilled);
            }

            decimal reserved = lease.Reserved;
            decimal? cost = _costs.CostOfFailure(failure, context.Request.Model, reserved);
            charge = lease.Release(SendResult.Failed(failure, Believable(retryAfter), cost));
            charge = cost ?? charge;
            NoteCost(context, reserved, cost ?? 0);
            context.Sends.Charged += charge;
            context.Sends.Unpriced += cost is null && context.Run.Account is null && !CostMeter.IsFree(failure) ? 1 : 0;
            context.InFlight.Charged = context.Sends.Charged;
        }
        else
        {
            // A wait beside a response can only be meant for the next sends.
            Pause(lease.Rate, lease.Rate.RetryAfter);
            decimal? cost = CostOf(reply.Response!, reply.Usage, context.Request.Model);
            Usage? plausible = reply.Usage is { IsPlausible: true } usage ? usage.WithWholeTotal() : null;
            decimal reserved = lease.Reserved;
            charge = lease.Release(SendResult.Answered(plausible, cost));
            NoteCost(context, reserved, cost);
            context.Sends.Cost = cost ?? (context.Run.Account is null ? null : charge);
        }

        if (lease.Rate.Change != BreakerChange.None)
        {
            LogChange(lease.Rate, reply.Failure?.Kind ?? FailureKind.Unknown);
        }

        return charge;
    }

    public void Dispose()
    {
        _observer.Dispose();
        _limiters.Dispose();
    }

    private ValueTask EnterAsync(RequestContext<TResponse> context, CancellationToken cancellationToken)
    {
        RateLease lease = context.Lease.Rate;
        ValueTask entering = lease.Limiter!.EnterAsync(lease, isRetry: context.Sends.Count > 0, cancellationToken);
        _probe.Note(context.Run);
        return entering;
    }

    private ValueTask EnterOnceOrAgainAsync(RequestContext<TResponse> context, CancellationToken cancellationToken) =>
        context.Sends.Count > 0 ? EnterAgainAsync(context, cancellationToken) : EnterAsync(context, cancellationToken);

    // A request that waits for the provider keeps neither its run from ending nor others from being read, which may be answered.
    private async ValueTask EnterAgainAsync(RequestContext<TResponse> context, CancellationToken cancellationToken)
    {
        using var alone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ValueTask entering = EnterAsync(context, alone.Token);
        if (entering.IsCompleted)
        {
            await entering.ConfigureAwait(false);
            return;
        }

        context.Run.Workers.Pause();
        try
        {
            Task entered = entering.AsTask();
            while (await Task.WhenAny(entered, context.Run.LeftRows.WhenAlone).ConfigureAwait(false) != entered)
            {
                if (RetryPolicy.IsLeftAlone(context.Circumstances()))
                {
                    await alone.CancelAsync().ConfigureAwait(false);
                    break;
                }
            }

            await entered.ConfigureAwait(false);
        }
        finally
        {
            context.Run.Workers.Resume();
        }
    }

    // The age of a request limits its waits too.
    private async ValueTask<bool> AcquireSlowAsync(RequestContext<TResponse> context, ValueTask? entering)
    {
        using CancellationTokenSource? timer = Timer(context);
        using CancellationTokenSource? either = timer is null
            ? null : CancellationTokenSource.CreateLinkedTokenSource(timer.Token, context.Attempt.Token);
        CancellationToken token = either?.Token ?? context.Attempt.Token;
        while (true)
        {
            if (!await EnteredAsync(context, entering ?? EnterOnceOrAgainAsync(context, token)).ConfigureAwait(false))
            {
                return false;
            }

            context.Lease.Admitted();
            if (context.Run.Account is { } account && !await ReserveAsync(context, account, token).ConfigureAwait(false))
            {
                context.Lease.Release(SendResult.NotSent);
                return false;
            }

            if (SendGate.TryBegin(context))
            {
                return true;
            }

            context.Lease.Release(SendResult.NotSent);
            try
            {
                await SendGate.WaitAsync(context, token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                context.Outcome = NotAdmitted(context);
                return false;
            }

            if (SendGate.Refuses(context))
            {
                return false;
            }

            entering = null;
        }
    }

    private CancellationTokenSource? Timer(RequestContext<TResponse> context) =>
        _options.TotalTimeout - _time.GetElapsedTime(context.Started) is not { } left ? null
            : new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);

    private async ValueTask<bool> EnteredAsync(RequestContext<TResponse> context, ValueTask entering)
    {
        // The next rows may be of another model, whose limiter is open. With a total timeout, their time must not pass while they only wait
        // for that.
        bool isPaused = !entering.IsCompleted && _options.TotalTimeout is null && _limiters.InFlight < _limiters.Ceiling;
        if (isPaused)
        {
            context.Run.Workers.Pause();
        }

        try
        {
            await entering.ConfigureAwait(false);
            _probe.Note(context.Run);
            return true;
        }
        catch (OperationCanceledException)
        {
            context.Outcome = NotAdmitted(context);
            return false;
        }
        catch (LlmException e)
        {
            context.Outcome = Outcome<TResponse>.Stopped(e);
            return false;
        }
        finally
        {
            if (isPaused)
            {
                context.Run.Workers.Resume();
            }
        }
    }

    private async ValueTask<bool> ReserveAsync(
        RequestContext<TResponse> context, BudgetAccount account, CancellationToken cancellationToken)
    {
        if (_costs.Bound(context.Request, out decimal maxCost) is { } refusal)
        {
            context.Outcome = Outcome<TResponse>.Failed(refusal);
            return false;
        }

        try
        {
            ValueTask<bool> reserving = account.Ledger.ReserveAsync(account, maxCost, cancellationToken);
            if (!reserving.IsCompleted)
            {
                _probe.Note(context.Run);
            }

            if (await reserving.ConfigureAwait(false))
            {
                context.Lease.AddMoney(account, maxCost);
                return true;
            }

            context.Outcome = Outcome<TResponse>.Stopped(new LlmException(
                FailureKind.BudgetExhausted,
                FormattableString.Invariant($"The budget of ${account.Ledger.Budget:0.##########} is used up: ")
                    + FormattableString.Invariant($"${account.SpentOfBudget:0.##########} are spent so far{MaybeSpent(account.Ledger)}, ")
                    + FormattableString.Invariant($"and the next request may cost up to ${maxCost:0.##########}: ")
                    + _costs.Explain(context.Request),
                context.Sends.LastFailure));
        }
        catch (OperationCanceledException)
        {
            context.Outcome = NotAdmitted(context);
        }
        catch (LlmException e)
        {
            context.Outcome = Outcome<TResponse>.Stopped(e);
        }

        return false;
    }

    private static string MaybeSpent(BudgetLedger ledger) => ledger.MaybeSpent == 0 ? ""
        : FormattableString.Invariant($" (${ledger.MaybeSpent:0.##########} of it may have been paid by workers that ended without a report)");

    // Called off, or out of time.
    private Outcome<TResponse> NotAdmitted(RequestContext<TResponse> context) => Outcome<TResponse>.Failed(context.InFlight.IsCalledOff
        ? Outcome<TResponse>.NotSent(context.Sends.LastFailure)
        : context.Sends.LastFailure ?? OutOfTime(_options));

    /// <summary>Creates the failure of a request whose time was over before it was sent.</summary>
    public static LlmException OutOfTime(RequestManagerOptions options) =>
        new(FailureKind.Timeout, $"Not sent within {options.TotalTimeout} ({nameof(RequestManagerOptions.TotalTimeout)}).");

    private void Pause(RateLease lease, TimeSpan? asked)
    {
        TimeSpan wait = Believable(asked);
        if (wait > TimeSpan.Zero && lease.Limiter!.CloseFor(wait))
        {
            _logger.ProviderPause(wait);
        }
    }

    private TimeSpan Believable(TimeSpan? wait) => wait <= _options.MaxThrottleWait ? wait.Value : TimeSpan.Zero;

    // What an answer took can be unknown, or more than was reserved: both are charged, and said once.
    private void NoteCost(RequestContext<TResponse> context, decimal reserved, decimal? cost)
    {
        if (reserved == 0)
        {
            return;
        }

        if (cost is null && !Interlocked.Exchange(ref _saidUnknown, true))
        {
            _logger.UsageNotPlausible(context.Request.Model, FormattableString.Invariant($"${reserved:0.##########}"));
        }
        else if (cost > reserved && _costs.Exceeded(context.Request, cost.Value))
        {
            string charged = FormattableString.Invariant($"${cost:0.##########}");
            _logger.WorstCaseExceeded(context.Request.Model, charged, FormattableString.Invariant($"${reserved:0.##########}"));
        }
    }

    private decimal? CostOf(TResponse response, Usage? usage, string? model)
    {
        try
        {
            if (_provider.GetCost(response) is { } reported and >= 0 and <= RequestManagerOptions.MaxBudget)
            {
                return reported;
            }
        }
        catch (Exception e)
        {
            // The answer is there and paid for; its price matters less.
            _logger.CostUnknown(e);
        }

        return _costs.CostOf(usage, model, response is LlmResponse answer ? answer.RawBody.Span : default);
    }

    // Once an outage, not once a send.
    private void LogChange(RateLease lease, FailureKind kind)
    {
        if (lease.Change == BreakerChange.Opened)
        {
            _logger.ProviderDown(lease.Limiter!.Model, kind);
        }
        else
        {
            _logger.ProviderUp(lease.Limiter!.Model);
        }
    }
}
