namespace FastLLM.RateLimiting;

/// <summary>Represents the waiters of a limiter: first come, first served; retries before all others, except after an outage. Under the
/// lock of <see cref="RateLimiters"/>.</summary>
/// <remarks>Some requests make any server fail, and some are always refused. Were they the probes of an outage or a closure, and first
/// after it, they would keep all others waiting.</remarks>
internal sealed class WaitQueue
{
    private const long RetriesFirst = long.MinValue / 2;

    // A retry may be one of those that are always refused, and there may be many.
    private const int TurnsOfOthers = 3;

    private readonly LinkedList<Waiter> _retries = [];
    private readonly LinkedList<Waiter> _others = [];
    private WaitOrder _order;
    private int _turn;

    /// <summary>Gets the first waiter, if any.</summary>
    public Waiter? First => (_order switch
    {
        WaitOrder.InTurns when _turn < TurnsOfOthers => _others.Last ?? _retries.First,
        _ => _retries.First ?? _others.First,
    })?.Value;

    /// <summary>Gets how many wait.</summary>
    public int Count => _retries.Count + _others.Count;

    /// <summary>Returns whether a new request would overtake a waiter if it did not wait.</summary>
    public bool IsAheadOf(bool isRetry) =>
        isRetry && _order == WaitOrder.RetriesFirst ? _retries.Count > 0 : Count > 0;

    /// <summary>Notes whether only probes are sent, after the end of a send.</summary>
    /// <param name="areProbes">Whether the provider is down, or refuses everything.</param>
    /// <param name="isRetryAnswered">Whether a retry was answered: then retries can be.</param>
    public void Ended(bool areProbes, bool isRetryAnswered) =>
        _order = areProbes || (_order == WaitOrder.InTurns && !isRetryAnswered) ? WaitOrder.InTurns : WaitOrder.RetriesFirst;

    /// <summary>Removes the first waiter.</summary>
    public Waiter RemoveFirst()
    {
        Waiter first = First!;
        _turn = (_turn + 1) % (TurnsOfOthers + 1);
        Remove(first);
        return first;
    }

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

    private enum WaitOrder
    {
        /// <summary>Retries come first, so that the end of a run does not take longer.</summary>
        RetriesFirst,

        /// <summary>While only probes are sent, and then until a retry is answered: three others for each retry. The request that was read
        /// last and not sent yet is the furthest from those that failed.</summary>
        InTurns,
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
