using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Knows whether the worker's lease is current. While it is not, others may take its chunks, so nothing is sent.</summary>
internal sealed class WorkerLease(TimeProvider time)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _renewal = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _renewed = time.GetTimestamp() - (10 * time.TimestampFrequency);
    private long _calmSince = time.GetTimestamp();

    /// <summary>Gets a value indicating whether the lease is current.</summary>
    public bool IsCurrent => time.GetElapsedTime(Volatile.Read(ref _renewed)) < WorkerStore.Lease;

    /// <summary>Gets a value indicating whether all workers had the time to renew their leases since this one last failed to. After an
    /// outage of the database every lease looks ended.</summary>
    public bool MayJudgeOthers => time.GetElapsedTime(Volatile.Read(ref _calmSince)) >= WorkerStore.Lease;

    /// <summary>Notes that a renewal that began at a moment has succeeded.</summary>
    public void Renew(long began)
    {
        if (!IsCurrent)
        {
            Volatile.Write(ref _calmSince, time.GetTimestamp());
        }

        Volatile.Write(ref _renewed, began);
        TaskCompletionSource renewal;
        lock (_gate)
        {
            renewal = _renewal;
            _renewal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        renewal.TrySetResult();
    }

    /// <summary>Notes that a renewal has failed.</summary>
    public void Fail() => Volatile.Write(ref _calmSince, time.GetTimestamp());

    /// <summary>Waits until the lease is current.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        while (!IsCurrent)
        {
            Task renewal;
            lock (_gate)
            {
                renewal = _renewal.Task;
            }

            if (!IsCurrent)
            {
                await renewal.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
