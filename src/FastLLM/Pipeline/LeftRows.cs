namespace FastLLM.Pipeline;

/// <summary>Counts the requests of a run that are under way, and those of them that fail and are sent again. Safe for concurrent
/// use.</summary>
internal sealed class LeftRows(TimeProvider time)
{
    private readonly TaskCompletionSource _alone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _underWay;
    private int _failing;
    private long _answered;
    private long _since;
    private long _latest;
    private TaskCompletionSource? _none;

    /// <summary>Gets how many requests are under way.</summary>
    public int UnderWay => Volatile.Read(ref _underWay);

    /// <summary>Gets how many requests were answered by the provider.</summary>
    public long Answered => Volatile.Read(ref _answered);

    /// <summary>Gets for how long others were answered before, but none since, while all that are under way fail; <see langword="null"/> if
    /// that is not so.</summary>
    public TimeSpan? AloneFor => Answered > 0 && UnderWay == Volatile.Read(ref _failing)
        ? time.GetElapsedTime(Volatile.Read(ref _since)) : null;

    /// <summary>Gets a task that ends when a request was given up because all others are done.</summary>
    public Task WhenAlone => _alone.Task;

    /// <summary>Notes that a request was given up because all others are done: those that wait for the provider need not.</summary>
    public void SayAlone() => _alone.TrySetResult();

    /// <summary>Returns whether a send that began later than the one with this number was answered.</summary>
    public bool IsAnsweredLater(long ticket) => Volatile.Read(ref _latest) > ticket;

    /// <summary>Notes that a request begins.</summary>
    public void Begin() => Interlocked.Increment(ref _underWay);

    /// <summary>Notes that a request has failed for the first time, as others may meanwhile, and is sent again.</summary>
    public void BeginFailing()
    {
        Interlocked.Increment(ref _failing);
        Volatile.Write(ref _since, time.GetTimestamp());
    }

    /// <summary>Notes that a request no longer fails.</summary>
    public void EndFailing() => Interlocked.Decrement(ref _failing);

    /// <summary>Notes that a request has ended.</summary>
    /// <param name="isFailing">Whether it was failing.</param>
    /// <param name="answered">The number of the send that was answered; 0 if none was.</param>
    public void End(bool isFailing, long answered)
    {
        if (answered > 0)
        {
            Interlocked.Increment(ref _answered);
            if (Volatile.Read(ref _failing) > 0)
            {
                Volatile.Write(ref _since, time.GetTimestamp());
                for (long latest; (latest = Volatile.Read(ref _latest)) < answered;)
                {
                    Interlocked.CompareExchange(ref _latest, answered, latest);
                }
            }
        }

        if (isFailing)
        {
            Interlocked.Decrement(ref _failing);
        }

        if (Interlocked.Decrement(ref _underWay) == 0)
        {
            Volatile.Read(ref _none)?.TrySetResult();
        }
    }

    /// <summary>Waits until no request is under way. Call it when none begins any more.</summary>
    public Task WhenNoneAsync()
    {
        var none = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _none, none);
        Interlocked.MemoryBarrier();
        if (UnderWay == 0)
        {
            none.TrySetResult();
        }

        return none.Task;
    }
}
