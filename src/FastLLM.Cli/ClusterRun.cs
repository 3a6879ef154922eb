using FastLLM.Cluster.Client;

namespace FastLLM.Cli;

/// <summary>Lets <c>fastllm run</c> have its rows processed by a cluster.</summary>
internal static class ClusterRun
{
    /// <summary>Refuses options that do not go with a cluster.</summary>
    /// <exception cref="UsageException">There is one.</exception>
    public static void Refuse(JobOptions job, int? preview, bool hasCacheOptions)
    {
        if (job.Input == Job.Pipe || job.Output == Job.Pipe)
        {
            throw new UsageException("A cluster needs files for input and output: an interrupted run finds its job again by their rows.");
        }

        if (preview > 0)
        {
            throw new UsageException("--preview sends rows from this machine, so it does not fit together with a cluster.");
        }

        if (hasCacheOptions)
        {
            throw new UsageException(
                "--cache, --no-cache, --durability and --cache-on-network concern the cache of this machine, which a cluster does not "
                + "use.");
        }
    }

    /// <summary>Has the rows of a job processed by a cluster, and shows its progress.</summary>
    public static void Attach(ClusterClient client, JobOptions job, RunProgress progress)
    {
        client.Progress = progress;
        progress.Source = () => client.Stats;
        job.NewProcessor = client.NewProcessor;
    }
}
