namespace FastLLM.Costs;

/// <summary>Knows what models cost: the price of an answer, and the highest price of a request before it is sent. Safe for concurrent
/// use.</summary>
internal sealed class CostMeter(PriceTable? prices)
{
    private KnownPrice? _last;

    /// <summary>Returns what an answer costs; <see langword="null"/> without a price or usage.</summary>
    public decimal? CostOf(Usage? usage, string? model) => usage is null ? null : PriceOf(model)?.Cost(usage);

    /// <summary>Computes the worst case of a request.</summary>
    /// <returns>Why the request has no upper bound, or <see langword="null"/>.</returns>
    public LlmException? Bound(LlmRequest request, out decimal maxCost)
    {
        maxCost = 0;
        if (PriceOf(request.Model) is not { } price)
        {
            return Unbounded($"the model \"{request.Model}\" has no known price. Give its price (Prices, --prices)");
        }

        TokenUpperBound tokens = TokenUpperBound.Of(request);
        if (tokens.Unbounded is { } content)
        {
            return Unbounded($"it holds {content}, of which no bound is known");
        }

        if ((tokens.Output ?? (price.MaxOutputTokens * tokens.Choices)) is not { } output)
        {
            return Unbounded($"neither it nor the price of \"{request.Model}\" limits the answer. "
                + "Set max_completion_tokens or max_tokens, or give max_output_tokens with the price");
        }

        maxCost = price.MaxCost(tokens.Input, output);
        return null;
    }

    /// <summary>Returns whether a failed attempt costs nothing for certain.</summary>
    /// <remarks>Providers bill no refusals and no failures that they name themselves. A gateway that timed out says nothing about the
    /// server behind it.</remarks>
    public static bool IsFree(LlmException failure) => !failure.MaybeBilled && failure.StatusCode is not (408 or 502 or 504 or 524)
        && failure.Kind is not (FailureKind.Provider or FailureKind.Unknown
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse or FailureKind.ResponseTooLarge);

    private static LlmException Unbounded(string reason) =>
        new(FailureKind.CostUnbounded, $"Not sent: there is a budget, but what the request may cost has no bound, since {reason}.");

    private ModelPrice? PriceOf(string? model)
    {
        if (prices is null || model is null)
        {
            return null;
        }

        // Nearly always the model of the last call.
        KnownPrice? last = Volatile.Read(ref _last);
        if (last is null || !string.Equals(last.Model, model, StringComparison.Ordinal))
        {
            last = new KnownPrice(model, prices.TryGet(model, out ModelPrice? found) ? found : null);
            Volatile.Write(ref _last, last);
        }

        return last.Price;
    }

    private sealed record KnownPrice(string Model, ModelPrice? Price);
}
