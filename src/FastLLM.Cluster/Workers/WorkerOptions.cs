using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Chunks;

namespace FastLLM.Cluster.Workers;

/// <summary>Configures a <see cref="Worker"/>.</summary>
internal sealed class WorkerOptions
{
    /// <summary>Gets the worker's name, which no other worker has.</summary>
    public required string Id { get; init; }

    /// <summary>Gets the database.</summary>
    public required ClusterStore Store { get; init; }

    /// <summary>Gets the broker.</summary>
    public required BrokerAddress Broker { get; init; }

    /// <summary>Gets the callback that creates the provider of a job, with the worker's own key.</summary>
    public required Func<JobSpec, Provider<LlmResponse>> Connect { get; init; }

    /// <summary>Gets the cache that the workers share.</summary>
    public CacheProvider? Cache { get; init; }

    /// <summary>Gets the number of chunks in work at the same time: as many as keep the slots full.</summary>
    public int Prefetch { get; init; } = 4;

    /// <summary>Gets the time for finishing chunks after a drain began. Then nothing more is sent.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Gets the callback that receives messages of one line.</summary>
    public Action<string> Say { get; init; } = static _ => { };
}
