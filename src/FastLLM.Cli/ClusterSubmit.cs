using System.Text;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Connects a command that submits rows to a cluster.</summary>
internal sealed class ClusterSubmit : IAsyncDisposable
{
    private const long MaxPriceBytes = 16 << 20;

    private readonly ClusterStore _store;
    private readonly BrokerAddress _broker;
    private readonly string _clusterId;
    private readonly JobSpec _spec;

    private ClusterSubmit(ClusterStore store, BrokerAddress broker, string clusterId, JobSpec spec)
    {
        _store = store;
        _broker = broker;
        _clusterId = clusterId;
        _spec = spec;
        Client = new ClusterClient(store, broker, clusterId, spec);
    }

    /// <summary>Gets what runs jobs on the cluster.</summary>
    public ClusterClient Client { get; }

    /// <summary>Gets the database.</summary>
    public ClusterStore Store => _store;

    /// <summary>Gets what a worker must know of the job.</summary>
    public JobSpec Spec => _spec;

    /// <summary>Opens the database, and describes the job.</summary>
    /// <exception cref="IOException">The database cannot be reached.</exception>
    /// <exception cref="InvalidDataException">The database is older or newer than this version.</exception>
    public static async Task<ClusterSubmit> OpenAsync(
        ClusterStore store, BrokerAddress broker, Endpoint endpoint, bool allowHttp, JobOptions job, RequestManagerOptions options,
        string? prices, CancellationToken cancellationToken)
    {
        await store.CheckAsync(cancellationToken);
        string clusterId = await StoreFault.GuardAsync(() => new JobStore(store).ReadClusterIdAsync(cancellationToken));
        var spec = new JobSpec
        {
            BaseUrl = endpoint.BaseUrl!,
            KeyVariable = endpoint.KeyVariable,
            AllowHttp = allowHttp,
            Sending = options.ToSpec(),
            Answers = job.Answers is { } form ? AnswerSpec.Of(form) : null,
            IncludeMetadata = job.IncludeMetadata,
            Prices = prices is null ? null : ReadPrices(prices),
        };
        return new ClusterSubmit(store, broker, clusterId, spec);
    }

    /// <summary>Refuses what the workers do not share yet: each of them would take the whole of it.</summary>
    /// <exception cref="UsageException">There is a budget.</exception>
    public static void RefuseUnshared(RequestManagerOptions options)
    {
        if (options.Budget is not null)
        {
            throw new UsageException(
                "--max-cost holds for one machine, and each worker of a cluster would use the whole of it. Run without a cluster, or "
                + "without it.");
        }
    }

    /// <summary>Creates what writes rows to the store.</summary>
    public Submission NewSubmission(Action<string> say) => new(_store, _broker, _clusterId, say);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _store.DisposeAsync();

    private static string ReadPrices(string file) => new FileInfo(file).Length > MaxPriceBytes
        ? throw new UsageException($"--prices: {TerminalText.Clean(file)} is larger than {MaxPriceBytes >> 20} MB.")
        : File.ReadAllText(file, Encoding.UTF8);
}
