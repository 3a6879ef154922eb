using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.Providers;

namespace FastLLM;

// Steps 5 and 6, money: what a send may cost is set aside before it, and becomes what it did cost.
public partial class RequestManager<TResponse>
{
    private readonly BudgetLedger? _spending;
    private KnownPrice? _lastPrice;

    /// <summary>The prices that are known.</summary>
    internal PriceTable? Prices => _options.Prices;

    /// <summary>The budget and what is left of it, where there is one.</summary>
    internal BudgetLedger? BudgetLedger => _spending;

    /// <summary>Where answers are kept.</summary>
    internal CacheProvider? Cache => _options.Cache;

    /// <summary>For whom they are good.</summary>
    internal string Scope => _scope;

    /// <summary>What was spent, without earlier runs.</summary>
    /// <param name="withReserved">Whether what is set aside counts too.</param>
    internal decimal TotalCost(bool withReserved = false) => _spending?.CurrentCost(withReserved) ?? _tracker.Stats.Cost;

    /// <summary>Why nobody can say what the request costs at most, or <see langword="null"/>.</summary>
    internal LlmException? Unbounded(LlmRequest request) => Bound(request, out _);

    private LlmException? Bound(LlmRequest request, out decimal most)
    {
        most = 0;
        if (PriceOf(request.Model) is not { } price)
        {
            return Unbounded($"the model \"{request.Model}\" has no known price. Give its price (Prices, --prices)");
        }

        TokenUpperBound tokens = TokenUpperBound.Of(request);
        if (tokens.Unbounded is { } what)
        {
            return Unbounded($"it holds {what}, of which no bound is known");
        }

        if ((tokens.Output ?? (price.MaxOutputTokens * tokens.Choices)) is not { } output)
        {
            return Unbounded($"neither it nor the price of \"{request.Model}\" limits the answer. Set max_completion_tokens or max_tokens, or give max_output_tokens with the price");
        }

        most = price.MaxCost(tokens.Input, output);
        return null;
    }

    private static LlmException Unbounded(string why) => new(FailureKind.CostUnbounded, $"Not sent: there is a budget, but what the request may cost has no bound, since {why}.");

    private ModelPrice? PriceOf(string? model)
    {
        if (_options.Prices is not { } prices || model is null)
        {
            return null;
        }

        // Nearly always the same model as the last time.
        KnownPrice? last = Volatile.Read(ref _lastPrice);
        if (last is null || !string.Equals(last.Model, model, StringComparison.Ordinal))
        {
            last = new KnownPrice(model, prices.TryGet(model, out ModelPrice? found) ? found : null);
            Volatile.Write(ref _lastPrice, last);
        }

        return last.Price;
    }

    // Where it returns false, nothing is set aside, and the worker's outcome says why.
    private async ValueTask<bool> ReserveAsync(Worker worker, Run<TResponse> run, LlmRequest request, BudgetLedger spending)
    {
        if (Bound(request, out decimal most) is { } refusal)
        {
            worker.Outcome = Failed(refusal);
            return false;
        }

        try
        {
            ValueTask<bool> reserving = spending.ReserveAsync(most, worker.Attempt.Token);
            if (!(reserving.IsCompleted ? await reserving.ConfigureAwait(false) : await WithinTotalAsync(worker, run, reserving.AsTask(), spending, most).ConfigureAwait(false)))
            {
                worker.Outcome = Stopped(new LlmException(
                    FailureKind.BudgetExhausted,
                    FormattableString.Invariant($"The budget of ${spending.Budget:0.##########} is used up: ${spending.Spent:0.##########} are spent, and the next request may cost up to ${most:0.##########}."),
                    worker.LastFailure));
                return false;
            }

            worker.Reserved = most;
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
    }

    // The time of the whole request ends the waiting too.
    private async Task<bool> WithinTotalAsync(Worker worker, Run<TResponse> run, Task<bool> reserving, BudgetLedger spending, decimal most)
    {
        NoteBottleneck(run);
        if (_options.TotalTimeout is not { } total || total == Timeout.InfiniteTimeSpan)
        {
            return await reserving.ConfigureAwait(false);
        }

        TimeSpan left = total - _time.GetElapsedTime(worker.Started);
        try
        {
            return await reserving.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // It may still be given: then it goes back at once.
            _ = reserving.ContinueWith(
                task => spending.Settle(task is { IsCompletedSuccessfully: true, Result: true } ? most : 0, 0), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw new OperationCanceledException();
        }
    }

    // Nothing was sent: what was set aside goes back.
    private void ReleaseReservation(Worker worker)
    {
        if (_spending is { } spending && worker.Reserved is { } reserved)
        {
            worker.Reserved = null;
            spending.Settle(reserved, 0);
        }
    }

    // The send is over. What nobody can say the cost of stays charged in full.
    private decimal SettleCost(Worker worker, LlmRequest request, in Reply<TResponse> reply)
    {
        worker.Cost = reply.HasResponse ? CostOf(reply.Response!, reply.Usage, request.Model) : null;
        if (_spending is not { } spending || worker.Reserved is not { } reserved)
        {
            return 0;
        }

        worker.Reserved = null;
        decimal charge = reply.Failure is { } failure && IsUnbilled(failure) ? 0 : reserved;
        spending.Settle(reserved, worker.Cost ?? charge);
        if (reply.HasResponse)
        {
            worker.Cost ??= charge;
            return 0;
        }

        worker.Charged += charge;
        worker.InFlightRequest.Charged = worker.Charged;
        return charge;
    }

    // A provider bills no refusal and no failure that it names itself; a gateway that gave up waiting says nothing about the server behind it.
    private static bool IsUnbilled(LlmException failure) => !failure.MaybeBilled && failure.StatusCode is not (408 or 502 or 504 or 524)
        && failure.Kind is not (FailureKind.Provider or FailureKind.Unknown or FailureKind.IncompleteResponse or FailureKind.InvalidResponse or FailureKind.ResponseTooLarge);

    private decimal? CostOf(TResponse response, Usage? usage, string? model)
    {
        try
        {
            if (_provider.GetCost(response) is { } told)
            {
                return told;
            }
        }
        catch (Exception e)
        {
            // The answer is there and paid for; what it cost is a lesser matter.
            _logger.CostUnknown(e);
        }

        return usage is not null ? PriceOf(model)?.Cost(usage) : null;
    }

    private sealed record KnownPrice(string Model, ModelPrice? Price);
}
