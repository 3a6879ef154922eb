namespace FastLLM.RateLimiting;

/// <summary>Represents the waiters of a limiter: first come, first served; retries before all others. Under the lock of
/// <see cref="RateLimiters"/>.</summary>
internal sealed class WaitQueue
{
    private const long RetriesFirst = long.MinValue / 2;

    private readonly LinkedList<Waiter> _retries = [];
    private readonly LinkedList<Waiter> _others = [];

    /// <summary>Gets the first waiter, if any.</summary>
    public Waiter? First => (_retries.First ?? _others.First)?.Value;

    /// <summary>Gets how many wait.</summary>
    public int Count => _retries.Count + _others.Count;

    /// <summary>Returns whether a new request would overtake a waiter if it did not wait.</summary>
    public bool IsAheadOf(bool isRetry) => _retries.Count > 0 || (!isRetry && _others.Count > 0);

    /// <summary>Adds a waiter.</summary>
    /// <param name="lease">What is waited for.</param>
    /// <param name="isRetry">Whether an earlier attempt of the request failed.</param>
    /// <param name="number">A number that grows with each waiter, over all limiters.</param>
    public Waiter Add(RateLease lease, bool isRetry, long number)
    {
        var waiter = new Waiter(lease, isRetry ? RetriesFirst + number : number);
        waiter.Node = (isRetry ? _retries : _others).AddLast(waiter);
        return waiter;
    }

    /// <summary>Removes a waiter.</summary>
    /// <returns>Whether it was still waiting.</returns>
    public static bool Remove(Waiter waiter)
    {
        if (waiter.Node.List is not { } list)
        {
            return false;
        }

        list.Remove(waiter.Node);
        return true;
    }

    /// <summary>Refuses all waiters.</summary>
    public void Refuse(LlmException why)
    {
        while (First is { } first)
        {
            Remove(first);
            first.Admitted.SetException(why);
        }
    }

    /// <summary>Represents a waiter.</summary>
    internal sealed class Waiter(RateLease lease, long order)
    {
        public RateLease Lease { get; } = lease;

        /// <summary>The place over all limiters.</summary>
        public long Order { get; } = order;

        // Continuations run elsewhere: the limiters' lock is held when it is completed.
        public TaskCompletionSource Admitted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter> Node { get; set; } = null!;
    }
}
