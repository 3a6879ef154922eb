using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Client;

/// <summary>Reads the output of a job, one chunk in memory at a time.</summary>
internal sealed class OutputReader(ChunkStore chunks)
{
    /// <summary>Writes the lines of all chunks that are done, in input order.</summary>
    /// <returns>The number of chunks that are not done.</returns>
    public async Task<int> CopyAsync(ClusterJob job, Stream output, CancellationToken cancellationToken)
    {
        var missing = 0;
        for (var number = 0; number < job.Chunks; number++)
        {
            if (await chunks.ReadOutputAsync(new ChunkId(job.Id, number), cancellationToken).ConfigureAwait(false) is not { } packed)
            {
                missing++;
                continue;
            }

            await using Stream lines = Compression.Open(packed);
            await lines.CopyToAsync(output, cancellationToken).ConfigureAwait(false);
        }

        return missing;
    }

    /// <summary>Reads the lines of a chunk, each with its LF.</summary>
    public async Task<IReadOnlyList<ReadOnlyMemory<byte>>> ReadLinesAsync(ChunkId id, CancellationToken cancellationToken)
    {
        if (await chunks.ReadOutputAsync(id, cancellationToken).ConfigureAwait(false) is not { } packed)
        {
            return [];
        }

        ReadOnlyMemory<byte> all = Compression.Unpack(packed);
        List<ReadOnlyMemory<byte>> lines = new(ChunkWriter.MaxRows);
        while (all.Length > 0)
        {
            int end = all.Span.IndexOf((byte)'\n');
            int length = end < 0 ? all.Length : end + 1;
            lines.Add(all[..length]);
            all = all[length..];
        }

        return lines;
    }
}
