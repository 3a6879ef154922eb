using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Limits;
using FastLLM.Jobs.Output;
using FastLLM.Pipeline;

namespace FastLLM.Cluster.Workers;

/// <summary>Puts together what sends the rows of a job on a worker: the options of the job, and what the cluster shares.</summary>
/// <remarks>The one place where a worker's manager is made.</remarks>
internal sealed class WorkerEngine : IAsyncDisposable
{
    private readonly AnswerForm? _answers;
    private readonly BudgetBorrower? _budget;
    private readonly JobSpec _spec;
    private readonly TimeProvider _time;
    private readonly IAsyncDisposable? _share;

    /// <summary>Creates the engine of a job.</summary>
    /// <param name="spec">What the job says.</param>
    /// <param name="provider">The provider, with the worker's own key.</param>
    /// <param name="shared">What the workers share.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="ArgumentException">The options of the job contradict each other.</exception>
    public WorkerEngine(JobSpec spec, Provider<LlmResponse> provider, SharedParts shared, TimeProvider time)
    {
        _spec = spec;
        _budget = shared.Budget;
        _time = time;
        _answers = spec.Answers?.ToForm();
        RequestManagerOptions options = spec.ToOptions(time);
        options.Cache = shared.Cache;
        _budget?.ApplyTo(options);
        Manager = new RequestManager(provider, options);

        _share = shared.Limits?.Join(Manager.Limiters, LearnedLimitsReader.EndpointOf(spec));
    }

    /// <summary>Gets the manager.</summary>
    public RequestManager Manager { get; }

    /// <summary>Opens the run of a worker over its rows.</summary>
    public StreamRun<LlmResponse> Open(IAsyncEnumerable<LlmRequest> rows, CancellationToken drain, CancellationToken cancellationToken) =>
        Manager.Open(rows, new RunSettings { Drain = drain, HoldsSuspects = true, Check = _answers?.Check }, cancellationToken);

    /// <summary>Creates the writer of output lines.</summary>
    public OutputRecord NewRecord(Func<Bottleneck>? limitedBy) =>
        new(_spec.IncludeMetadata, _time, limitedBy, withCosts: Manager.Options.Prices is not null);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_share is not null)
        {
            await _share.DisposeAsync().ConfigureAwait(false);
        }

        await Manager.DisposeAsync().ConfigureAwait(false);
        if (_budget is not null)
        {
            await _budget.DisposeAsync().ConfigureAwait(false);
        }
    }
}

/// <summary>Represents what the workers of a cluster share about the requests of a job.</summary>
/// <param name="Cache">The answers; the cache stays open.</param>
/// <param name="Limits">The limits of the provider.</param>
/// <param name="Budget">The budget of the job, if it has one; it is disposed with the engine.</param>
internal sealed record SharedParts(CacheProvider? Cache, SharedLimits? Limits, BudgetBorrower? Budget);
