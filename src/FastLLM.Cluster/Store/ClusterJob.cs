using FastLLM.Cluster.Chunks;

namespace FastLLM.Cluster.Store;

/// <summary>Represents a job of the cluster as the store has it.</summary>
internal sealed record ClusterJob(string Id, string Name, string State, DateTime Created)
{
    public const string Running = "running";
    public const string Paused = "paused";
    public const string Canceled = "canceled";
    public const string Stopped = "stopped";
    public const string Done = "done";

    /// <summary>Gets when the last row got its outcome.</summary>
    public DateTime? Finished { get; init; }

    /// <summary>Gets the number of rows.</summary>
    public long Rows { get; init; }

    /// <summary>Gets the number of chunks.</summary>
    public int Chunks { get; init; }

    /// <summary>Gets the number of chunks that are done.</summary>
    public int ChunksDone { get; init; }

    /// <summary>Gets what the outcomes of finished chunks add up to.</summary>
    public ChunkCounts Counts { get; init; }

    /// <summary>Gets why the job stopped.</summary>
    public string? Reason { get; init; }

    /// <summary>Gets the number of rows that have an outcome.</summary>
    public long RowsDone => Counts.Answered + Counts.Failed;

    /// <summary>Gets a value indicating whether every row has an outcome.</summary>
    public bool IsDone => State == Done;
}
