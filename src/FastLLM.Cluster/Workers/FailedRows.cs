using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;
using FastLLM.Jobs.Output;

namespace FastLLM.Cluster.Workers;

/// <summary>Writes the lines of rows that are not sent: invalid rows, and those of a chunk that no worker survives.</summary>
internal sealed class FailedRows(TimeProvider time)
{
    private readonly Lock _writing = new();
    private readonly OutputRecord _withOwn = new(withOwnMember: true, time);
    private readonly OutputRecord _without = new(withOwnMember: false, time);

    /// <summary>Returns why a chunk is given up.</summary>
    public static string Reason(TakenChunk chunk) => FormattableString.Invariant(
        $"{chunk.Crashes} workers ended while they had chunk {chunk.Id.Number} of job {chunk.Id.Job}, so its rows were given up.");

    /// <summary>Adds the lines of the invalid rows.</summary>
    public void AddInvalid(ChunkWork chunk, JobSpec spec) => Add(chunk, spec, reason: null);

    /// <summary>Adds a line for every row.</summary>
    public void AddAll(ChunkWork chunk, JobSpec spec) => Add(chunk, spec, Reason(chunk.Taken));

    private void Add(ChunkWork chunk, JobSpec spec, string? reason)
    {
        lock (_writing)
        {
            OutputRecord record = spec.IncludeMetadata ? _withOwn : _without;
            for (var i = 0; i < chunk.Rows.Length; i++)
            {
                ChunkRow row = chunk.Rows[i];
                if (row.Error is not null)
                {
                    chunk.AddFailed(i, record.WriteInvalid(row.Id, row.Error, row.Metadata.Span).Span);
                }
                else if (reason is not null)
                {
                    var failure = new LlmException(FailureKind.Unknown, reason);
                    var outcome = new ResponseWrapper<LlmResponse>(failure, row.ToRequest().Key.ToString(), i);
                    chunk.AddFailed(i, record.Write(row.Id, outcome, row.Metadata.Span).Span);
                }
            }
        }
    }
}
