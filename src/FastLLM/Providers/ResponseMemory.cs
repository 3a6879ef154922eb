namespace FastLLM.Providers;

/// <summary>Limits the memory that the responses of a manager take together while they are read, recorded and returned. Small responses do
/// not count.</summary>
/// <remarks>A response that needs more than is free waits and is not read meanwhile, so that the connection holds its server up. The oldest
/// response always gets what it needs, so that responses cannot wait for each other indefinitely: together they take at most the limit and
/// one response. A response that waits goes before new ones.</remarks>
internal sealed class ResponseMemory(long limit)
{
    /// <summary>The size up to which a response does not count.</summary>
    public const int Free = 64 * 1024;

    /// <summary>The smallest amount that is taken.</summary>
    private const long Step = 1 << 20;

    private readonly Lock _gate = new();
    private readonly LinkedList<Share> _shares = [];
    private long _used;
    private int _waiting;

    /// <summary>Gets the number of bytes that are taken.</summary>
    public long Used
    {
        get
        {
            lock (_gate)
            {
                return _used;
            }
        }
    }

    /// <summary>Gets the default: an eighth of the memory that the process may use, 256 to 512 MB.</summary>
    public static long DefaultLimit { get; } = Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8, 256L << 20, 512L << 20);

    /// <summary>Takes memory for the response of an attempt, whose clock stops while it waits.</summary>
    /// <param name="attempt">The attempt; a send without one is not limited.</param>
    /// <param name="bytes">The total size of its response by now, including buffers.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static ValueTask TakeAsync(Attempt? attempt, long bytes, CancellationToken cancellationToken) =>
        attempt is null || bytes <= Free || bytes <= attempt.Memory?.Bytes
            ? default
            : attempt.Transport.Memory.GrowAsync(attempt, bytes, cancellationToken);

    private ValueTask GrowAsync(Attempt attempt, long bytes, CancellationToken cancellationToken)
    {
        TaskCompletionSource waiting;
        lock (_gate)
        {
            Share share = attempt.Memory ??= new Share(this);
            share.Place ??= _shares.AddLast(share);
            long wanted = (bytes + Step - 1) / Step * Step;
            if ((_waiting == 0 || IsOldest(share)) && Fits(share, wanted))
            {
                Grant(share, wanted);
                return default;
            }

            _waiting++;
            share.Wanted = wanted;
            share.Waiting = waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return new ValueTask(WaitAsync(attempt, waiting, cancellationToken));
    }

    private async Task WaitAsync(Attempt attempt, TaskCompletionSource waiting, CancellationToken cancellationToken)
    {
        long paused = attempt.Pause();
        try
        {
            await waiting.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                StopWaiting(attempt.Memory!);
                Admit();
            }

            throw;
        }
        finally
        {
            attempt.Resume(paused);
        }
    }

    private bool IsOldest(Share share) => ReferenceEquals(_shares.First!.Value, share);

    private bool Fits(Share share, long wanted) => IsOldest(share) || _used + wanted - share.Bytes <= limit;

    private void Grant(Share share, long wanted)
    {
        _used += wanted - share.Bytes;
        share.Bytes = wanted;
    }

    private void StopWaiting(Share share)
    {
        if (share.Waiting is not null)
        {
            share.Waiting = null;
            _waiting--;
        }
    }

    // The oldest first. One that does not fit holds up those behind it, or it would never get its memory.
    private void Admit()
    {
        for (LinkedListNode<Share>? node = _shares.First; node is not null && _waiting > 0; node = node.Next)
        {
            Share share = node.Value;
            if (share.Waiting is { } waiting)
            {
                if (!Fits(share, share.Wanted))
                {
                    return;
                }

                Grant(share, share.Wanted);
                StopWaiting(share);
                waiting.SetResult();
            }
        }
    }

    /// <summary>Represents the memory of one response.</summary>
    internal sealed class Share(ResponseMemory memory)
    {
        public long Bytes { get; set; }

        public long Wanted { get; set; }

        public TaskCompletionSource? Waiting { get; set; }

        public LinkedListNode<Share>? Place { get; set; }

        /// <summary>Releases all but <paramref name="bytes"/>.</summary>
        public void Shrink(long bytes)
        {
            lock (memory._gate)
            {
                if (Place is not null && bytes < Bytes)
                {
                    memory._used -= Bytes - bytes;
                    Bytes = bytes;
                    memory.Admit();
                }
            }
        }

        /// <summary>Releases all of it.</summary>
        public void Release()
        {
            lock (memory._gate)
            {
                if (Place is { } place)
                {
                    memory.StopWaiting(this);
                    memory._shares.Remove(place);
                    memory._used -= Bytes;
                    Bytes = 0;
                    Place = null;
                    memory.Admit();
                }
            }
        }
    }
}
