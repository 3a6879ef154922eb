namespace FastLLM;

/// <summary>What a run over a file would send and cost, told before anything is sent.</summary>
public sealed record RunEstimate
{
    /// <summary>Gets the rows that the run takes, samples counted each.</summary>
    public long Rows { get; init; }

    /// <summary>Gets the different questions among them.</summary>
    public long Distinct { get; init; }

    /// <summary>Gets the rows that stand finished in the output.</summary>
    public long Kept { get; init; }

    /// <summary>Gets the different questions besides that the cache answers.</summary>
    public long Cached { get; init; }

    /// <summary>Gets the requests that would be sent, if none had to be sent again.</summary>
    public long ToSend { get; init; }

    /// <summary>Gets the wrong lines, which become failed rows.</summary>
    public long Invalid { get; init; }

    /// <summary>Gets what is asked of each model, the model with the most requests first.</summary>
    public IReadOnlyList<ModelEstimate> Models { get; init; } = [];

    /// <summary>Gets what the job has cost until now, as far as it was told.</summary>
    public decimal Spent { get; init; }

    /// <summary>Gets the path of the first request that would be sent; <see langword="null"/> where there is none.</summary>
    public string? FirstEndpoint { get; init; }

    /// <summary>Gets its body, as it would be sent.</summary>
    public string? FirstBody { get; init; }

    /// <summary>Gets the least that it may cost, in US dollars; <see langword="null"/> where a price is not known.</summary>
    public decimal? LowCost => Sum(static model => model.LowCost);

    /// <summary>Gets what it is thought to cost; <see langword="null"/> where a price is not known.</summary>
    public decimal? LikelyCost => Sum(static model => model.LikelyCost);

    /// <summary>Gets the most that it may cost if every answer is as long as allowed; <see langword="null"/> where a price or a limit is not known.</summary>
    public decimal? HighCost => Sum(static model => model.HighCost);

    private decimal? Sum(Func<ModelEstimate, decimal?> cost)
    {
        decimal sum = 0;
        foreach (ModelEstimate model in Models)
        {
            if (cost(model) is not { } one)
            {
                return null;
            }

            sum += one;
        }

        return sum;
    }
}
