using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Renews the lease of a worker, and finds out which of its chunks are not its own any more.</summary>
internal sealed class Heartbeat(string worker, WorkerStore workers, WorkerLease lease, StoreLink store, TimeProvider time)
{
    /// <summary>Renews the lease once.</summary>
    public async Task RenewAsync(HeldChunks held, RunnerTable runners, CancellationToken cancellationToken)
    {
        ChunkWork[] before = held.All;
        long began = time.GetTimestamp();
        IReadOnlyList<HeldChunk> known;
        try
        {
            known = await workers.RenewAsync(worker, runners.Report(time), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (StoreFault.IsAway(e))
        {
            lease.Fail();
            store.NoteAway(e);
            return;
        }

        store.NoteBack();
        lease.Renew(began);
        var mine = known.Where(chunk => chunk.JobState != ClusterJob.Canceled).ToDictionary(chunk => chunk.Id, chunk => chunk.Token);
        foreach (ChunkWork chunk in before)
        {
            if (mine.GetValueOrDefault(chunk.Taken.Id) != chunk.Taken.Token && !chunk.IsComplete)
            {
                chunk.Lose();
                held.Remove(chunk);
                await chunk.Delivery.AckAsync().ConfigureAwait(false);
            }
        }

        runners.FinishIdle(held);
    }
}
