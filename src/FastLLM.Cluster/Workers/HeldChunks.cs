using System.Collections.Concurrent;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Holds the chunks that a worker has taken and not completed.</summary>
internal sealed class HeldChunks
{
    private readonly ConcurrentDictionary<ChunkId, ChunkWork> _chunks = new();
    private TaskCompletionSource _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gets all of them.</summary>
    public ChunkWork[] All => [.. _chunks.Values];

    /// <summary>Determines whether a chunk is held.</summary>
    public bool Contains(ChunkId id) => _chunks.ContainsKey(id);

    /// <summary>Gets those of a job.</summary>
    public ChunkWork[] Of(string job) => [.. _chunks.Values.Where(chunk => chunk.Taken.Id.Job == job)];

    /// <summary>Adds a chunk.</summary>
    public void Add(ChunkWork chunk) => _chunks[chunk.Taken.Id] = chunk;

    /// <summary>Removes a chunk, unless it was taken again since.</summary>
    public void Remove(ChunkWork chunk)
    {
        if (_chunks.TryRemove(new KeyValuePair<ChunkId, ChunkWork>(chunk.Taken.Id, chunk)))
        {
            Interlocked.Exchange(ref _removed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }
    }

    /// <summary>Waits until no more than a number of chunks is held.</summary>
    public async Task WaitUntilAsync(int most, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task removed = Volatile.Read(ref _removed).Task;
            if (_chunks.Count <= most)
            {
                return;
            }

            await removed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
