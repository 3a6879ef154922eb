using System.Collections.Concurrent;

namespace FastLLM.Pipeline;

/// <summary>Counts the requests of a run that are under way, and those of them that fail and are sent again. Safe for concurrent
/// use.</summary>
internal sealed class LeftRows(TimeProvider time)
{
    // Both counts in one number, since they are compared: requests under way, and those of them that fail.
    private const int UnderWayShift = 32;
    private const long OneUnderWay = 1L << UnderWayShift;
    private const long OneFailing = 1;

    // A file may name any number of models.
    private const int MaxModels = 1000;

    private TaskCompletionSource _alone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ConcurrentDictionary<string, long>? _latest; // made when a row fails: a single call is a run, too
    private long _counts;
    private long _answered;
    private long _since;
    private TaskCompletionSource? _none;

    /// <summary>Gets how many requests are under way.</summary>
    public int UnderWay => UnderWayOf(Volatile.Read(ref _counts));

    /// <summary>Gets how many requests were answered by the provider.</summary>
    public long Answered => Volatile.Read(ref _answered);

    /// <summary>Gets for how long others were answered before, but none since, while all that are under way fail; <see langword="null"/> if
    /// that is not so.</summary>
    public TimeSpan? AloneFor
    {
        get
        {
            long counts = Volatile.Read(ref _counts);
            return Answered > 0 && UnderWayOf(counts) == FailingOf(counts) ? time.GetElapsedTime(Volatile.Read(ref _since)) : null;
        }
    }

    /// <summary>Gets a task that ends when the next request is given up because all others are done.</summary>
    public Task WhenAlone => Volatile.Read(ref _alone).Task;

    /// <summary>Notes that a request was given up because all others are done: those that wait for the provider need not.</summary>
    public void SayAlone() =>
        Interlocked.Exchange(ref _alone, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    /// <summary>Returns whether a send of the model that began later than the one with this number was answered.</summary>
    public bool IsAnsweredLater(string? model, long ticket) =>
        Volatile.Read(ref _latest) is { } known && known.TryGetValue(model ?? "", out long latest) && latest > ticket;

    /// <summary>Notes that a request begins.</summary>
    public void Begin() => Interlocked.Add(ref _counts, OneUnderWay);

    /// <summary>Notes that a request has failed for the first time, as others may meanwhile, and is sent again.</summary>
    public void BeginFailing()
    {
        Interlocked.Add(ref _counts, OneFailing);
        Volatile.Write(ref _since, time.GetTimestamp());
    }

    /// <summary>Notes that a request no longer fails.</summary>
    public void EndFailing() => Interlocked.Add(ref _counts, -OneFailing);

    /// <summary>Notes that a request has ended.</summary>
    /// <param name="isFailing">Whether it was failing.</param>
    /// <param name="model">Its model.</param>
    /// <param name="answered">The number of the send that was answered; 0 if none was.</param>
    public void End(bool isFailing, string? model, long answered)
    {
        if (answered > 0)
        {
            Interlocked.Increment(ref _answered);
            if (FailingOf(Volatile.Read(ref _counts)) > 0)
            {
                Volatile.Write(ref _since, time.GetTimestamp());
                NoteAnswered(model ?? "", answered);
            }
        }

        if (UnderWayOf(Interlocked.Add(ref _counts, -OneUnderWay - (isFailing ? OneFailing : 0))) == 0)
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

    private static int UnderWayOf(long counts) => (int)(counts >> UnderWayShift);

    private static int FailingOf(long counts) => (int)(counts & (OneUnderWay - 1));

    private void NoteAnswered(string model, long answered)
    {
        ConcurrentDictionary<string, long> known =
            LazyInitializer.EnsureInitialized(ref _latest, static () => new ConcurrentDictionary<string, long>(StringComparer.Ordinal));
        if (known.ContainsKey(model) || known.Count < MaxModels)
        {
            known.AddOrUpdate(model, answered, (_, latest) => Math.Max(latest, answered));
        }
    }
}
