using FastLLM.Jobs.Planning;

namespace FastLLM;

/// <summary>Represents what a job is going to do: what is finished, what is in the cache, what is sent, and what that may cost.</summary>
/// <remarks>Immutable. A plan runs once (<see cref="Job.RunAsync(JobPlan, CancellationToken, CancellationToken)"/>).</remarks>
public sealed class JobPlan
{
    private readonly JobSetup? _setup;
    private int _started;

    internal JobPlan(JobSetup? setup) => _setup = setup;

    /// <summary>Gets the number of rows that the job processes, counting each sample.</summary>
    public long Rows { get; internal init; }

    /// <summary>Gets the number of different requests among them.</summary>
    public long Distinct { get; internal init; }

    /// <summary>Gets the number of rows that are finished in the output.</summary>
    public long Kept { get; internal init; }

    /// <summary>Gets the number of different requests of other rows that the cache answers.</summary>
    public long Cached { get; internal init; }

    /// <summary>Gets the number of different requests of other rows that a record of the output answers.</summary>
    public long Shared { get; internal init; }

    /// <summary>Gets the number of requests to send, without retries.</summary>
    public long ToSend => Models.Sum(model => model.Requests);

    /// <summary>Gets the number of rows that fail without being sent because their lines are invalid.</summary>
    public long Invalid { get; internal init; }

    /// <summary>Gets the estimate for each model, the model with the most requests first.</summary>
    public IReadOnlyList<ModelEstimate> Models { get; internal init; } = [];

    /// <summary>Gets the highest possible cost of one request to send, in US dollars, which a budget must cover before it is sent;
    /// <see langword="null"/> if unknown.</summary>
    public decimal? MaxRequestCost { get; internal init; }

    /// <summary>Gets the budget of the job, if there is one.</summary>
    public decimal? Budget { get; internal init; }

    /// <summary>Gets what the highest possible cost of one request consists of, and which option bounds it.</summary>
    public string? MaxRequestCostText { get; internal init; }

    /// <summary>Gets the known cost of earlier runs of the job, in US dollars.</summary>
    public decimal Spent { get; internal init; }

    /// <summary>Gets the cost that the records of the output state.</summary>
    internal decimal Recorded { get; init; }

    /// <summary>Gets the path of the first request to send; <see langword="null"/> if there is none.</summary>
    public string? FirstEndpoint { get; internal init; }

    /// <summary>Gets the body of the first request to send.</summary>
    public string? FirstBody { get; internal init; }

    /// <summary>Gets the lowest possible cost, in US dollars; <see langword="null"/> if a price is unknown.</summary>
    public decimal? LowCost => Sum(static model => model.LowCost);

    /// <summary>Gets the likely cost, in US dollars; <see langword="null"/> if a price is unknown.</summary>
    public decimal? LikelyCost => Sum(static model => model.LikelyCost);

    /// <summary>Gets the highest possible cost, in US dollars; <see langword="null"/> if a price or the limit of an answer is
    /// unknown.</summary>
    public decimal? HighCost => Sum(static model => model.HighCost);

    /// <summary>Gets what the plan was made from, for its only run.</summary>
    /// <exception cref="InvalidOperationException">The plan has run, or its input was a pipe, which the planning has read to the
    /// end.</exception>
    internal JobSetup Start()
    {
        if (_setup is not { IsPipe: false })
        {
            throw new InvalidOperationException("Planning has read standard input, which can be read once. Run the job without a plan.");
        }

        return Interlocked.Exchange(ref _started, 1) == 0
            ? _setup
            : throw new InvalidOperationException("The plan has already run, and the output has changed since. Plan the job again.");
    }

    /// <summary>Gets the setup of a run over the input of the plan, which is not read and checked again.</summary>
    internal JobSetup Next(RequestManager manager, JobOptions options) => _setup!.Next(manager, options);

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
