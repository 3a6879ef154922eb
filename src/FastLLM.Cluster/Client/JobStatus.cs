using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Limits;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Client;

/// <summary>Represents what is known of a job and of the workers that process it.</summary>
internal sealed record JobStatus(
    ClusterJob Job, IReadOnlyList<LiveWorker> Workers, BudgetStatus? Budget, IReadOnlyList<LearnedLimits> Limits)
{
    /// <summary>Gets the rows that get an outcome in a second.</summary>
    public double RowsPerSecond => Workers.Sum(worker => worker.Report.RowsPerSecond);

    /// <summary>Gets what limits most of the workers.</summary>
    public Bottleneck Bottleneck => BottleneckOf(Workers);

    /// <summary>Gets what limits most of some workers.</summary>
    public static Bottleneck BottleneckOf(IEnumerable<LiveWorker> workers) => workers
        .Select(worker => Enum.TryParse(worker.Report.Bottleneck, out Bottleneck known) ? known : Bottleneck.None)
        .Where(bottleneck => bottleneck != Bottleneck.None)
        .GroupBy(bottleneck => bottleneck).OrderByDescending(group => group.Count()).ThenBy(group => group.Key)
        .Select(group => group.Key).FirstOrDefault();

    /// <summary>Reads the status of a job; <see langword="null"/> if there is no such job.</summary>
    public static async Task<JobStatus?> ReadAsync(ClusterStore store, string id, CancellationToken cancellationToken)
    {
        var jobs = new JobStore(store);
        ClusterJob? job = await jobs.FindAsync(id, cancellationToken).ConfigureAwait(false);
        if (job is null || await jobs.ReadSpecAsync(id, cancellationToken).ConfigureAwait(false) is not { } spec)
        {
            return null;
        }

        IReadOnlyList<LiveWorker> workers = await new WorkerStore(store).ListAsync(cancellationToken).ConfigureAwait(false);
        BudgetStatus? budget = await new BudgetStore(store).FindAsync(id, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<LearnedLimits> limits = await new LearnedLimitsReader(store)
            .ReadAsync(LearnedLimitsReader.EndpointOf(spec), cancellationToken).ConfigureAwait(false);
        return new JobStatus(job, [.. workers.Where(worker => worker.Report.Job == id)], budget, limits);
    }
}
