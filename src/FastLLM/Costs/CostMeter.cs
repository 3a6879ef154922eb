using System.Collections.Concurrent;

namespace FastLLM.Costs;

/// <summary>Knows what models cost: the price of an answer, and the highest price of a request before it is sent. Safe for concurrent
/// use.</summary>
internal sealed class CostMeter(PriceTable? prices)
{
    // A shorter answer would hardly help.
    private const int MuchMore = 4;

    private readonly ConcurrentDictionary<string, decimal> _factors = new(StringComparer.Ordinal);
    private KnownPrice? _last;
    private decimal _leastFactor = 1;

    /// <summary>Gets the highest factor by which an answer has cost more than its worst case; 1 if none has.</summary>
    public decimal HighestFactor => _factors.Values.Append(_leastFactor).Max();

    /// <summary>Expects of every model what an earlier run has seen of one. Call it before the first request.</summary>
    public void Expect(decimal factor) => _leastFactor = Math.Max(_leastFactor, factor);

    /// <summary>Returns what an answer costs; <see langword="null"/> without a price or plausible usage.</summary>
    /// <param name="usage">Its usage.</param>
    /// <param name="model">The requested model.</param>
    /// <param name="body">The answer, if it is known. If it names another model that has a price, the higher price counts.</param>
    public decimal? CostOf(Usage? usage, string? model, ReadOnlySpan<byte> body = default)
    {
        if (usage is not { IsPlausible: true } || PriceOf(model) is not { } price)
        {
            return null;
        }

        usage = usage.WithWholeTotal();
        decimal cost = price.Cost(usage);
        return AnsweringModel.Other(body, model!) is { } other && prices!.TryGetBeside(model!, other, out ModelPrice? actual)
            ? Math.Max(cost, actual.Cost(usage)) : cost;
    }

    /// <summary>Returns what a failed attempt costs whose tokens the provider states; <see langword="null"/> if it states none.</summary>
    /// <remarks>An attempt of unknown outcome costs its worst case at least.</remarks>
    public decimal? CostOfFailure(LlmException failure, string? model, decimal maxCost) =>
        CostOf(failure.Usage, model) is { } stated ? Math.Max(stated, IsFree(failure) ? 0 : maxCost) : null;

    /// <summary>Notes that an answer cost more than the worst case of its request: the model's next requests may too.</summary>
    /// <returns>Whether more than before is reserved from now on.</returns>
    public bool Exceeded(LlmRequest request, decimal cost)
    {
        if (PriceBound(request, out decimal maxCost) is not null || maxCost == 0)
        {
            return false;
        }

        string model = request.Model ?? "";
        decimal before = _factors.GetValueOrDefault(model, _leastFactor);
        return _factors.AddOrUpdate(model, cost / maxCost, (_, known) => Math.Max(known, cost / maxCost)) > before;
    }

    /// <summary>Computes the worst case of a request.</summary>
    /// <returns>Why the request has no upper bound, or <see langword="null"/>.</returns>
    public LlmException? Bound(LlmRequest request, out decimal maxCost)
    {
        LlmException? refusal = PriceBound(request, out maxCost);
        maxCost *= _factors.IsEmpty ? _leastFactor : Math.Max(_factors.GetValueOrDefault(request.Model ?? ""), _leastFactor);
        return refusal;
    }

    private LlmException? PriceBound(LlmRequest request, out decimal maxCost)
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

        if ((price.OtherPrice ?? (tokens.Pictures > 0 ? price.PicturePrice : null)) is { } key)
        {
            return Unbounded($"the price of \"{request.Model}\" has {key}, which is not a price of its tokens");
        }

        if (tokens.MostOutput(price.MaxOutputTokens) is not { } output)
        {
            return Unbounded($"neither it nor the price of \"{request.Model}\" limits the answer. "
                + "Set max_completion_tokens or max_tokens, or give max_output_tokens with the price");
        }

        maxCost = price.MaxCost(tokens.Input, output);
        return null;
    }

    /// <summary>Explains the worst case of a request, and how to bound the part of it that costs most.</summary>
    public string Explain(LlmRequest request)
    {
        TokenUpperBound tokens = TokenUpperBound.Of(request);
        ModelPrice? price = PriceOf(request.Model);
        long output = tokens.MostOutput(price?.MaxOutputTokens ?? 0) ?? 0;
        string most = FormattableString.Invariant($"{tokens.Input:N0} tokens of its prompt and {output:N0} of its answer.");
        if (output == 0 || tokens.Input * price?.HighestInput > MuchMore * output * price?.HighestOutput)
        {
            return tokens.Pictures == 0 ? $"{most} Shorten its prompt." : most + FormattableString.Invariant(
                $" A picture counts {TokenUpperBound.Picture:N0}, whatever its size: put fewer into a row.");
        }

        string limits = "max_completion_tokens or max_tokens";
        return tokens.Output is null ? $"{most} It sets no limit, so the model's own counts: set {limits} in the row or the template."
            : tokens.Choices > 1 ? most + FormattableString.Invariant(
                $" To bound it, lower {limits} in the row or the template, or the number of its answers ({tokens.Choices:N0}).")
            : $"{most} To bound it, lower {limits} in the row or the template.";
    }

    /// <summary>Returns whether a failed attempt costs nothing for certain, unless the provider states its tokens.</summary>
    /// <remarks>Providers bill no refusals and no failures that they name themselves. A gateway that timed out says nothing about the
    /// server behind it, and neither does one that got no whole answer (520, 522, 598, 599) or gave up waiting for it (499).</remarks>
    public static bool IsFree(LlmException failure) => !failure.MaybeBilled
        && failure.StatusCode is not (408 or 499 or 502 or 504 or 520 or 522 or 524 or 598 or 599)
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
