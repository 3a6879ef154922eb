using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Running;

namespace FastLLM.Cluster.Client;

/// <summary>Runs jobs on a cluster: submits their rows, and writes the outcomes as chunks are completed.</summary>
internal sealed class ClusterClient(ClusterStore store, BrokerAddress broker, string clusterId, JobSpec spec)
{
    private readonly Lock _gate = new();
    private TokenStats _stats = new();

    /// <summary>Gets or sets the receiver of progress.</summary>
    public IProgress<TokenStats>? Progress { get; set; }

    /// <summary>Gets the progress of the job that is followed.</summary>
    public TokenStats Stats
    {
        get
        {
            lock (_gate)
            {
                return _stats;
            }
        }
    }

    /// <summary>Creates what processes the rows of a job on the cluster.</summary>
    public IRowProcessor NewProcessor(JobSetup setup, ResumeState resume, RowSink sink, CostAccount costs)
    {
        void Say(string text) => setup.Options.OnNotice?.Invoke(text);
        var submission = new Submission(store, broker, clusterId, Say);
        var follower = new JobFollower(store, new StoreLink(store.Time, Say), Report);
        return new ClusterProcessor(new JobStore(store), new BudgetStore(store), submission, follower, spec, setup, resume, sink, costs);
    }

    private void Report(TokenStats stats)
    {
        lock (_gate)
        {
            _stats = stats;
        }

        Progress?.Report(stats);
    }
}
