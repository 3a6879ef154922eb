namespace FastLLM.Pipeline;

/// <summary>Holds the in-flight requests of a manager by key. Joining and ending are one step each, so there is never a second
/// leader.</summary>
/// <remarks>Requests of one bucket are linked through themselves: an in-flight request costs no dictionary entry.</remarks>
internal sealed class InFlightTable<TCaller>
    where TCaller : struct
{
    private const int Shards = 16;

    private readonly Shard[] _shards;

    /// <summary>Creates an empty table.</summary>
    /// <param name="expected">About how many requests there will be at once.</param>
    public InFlightTable(int expected)
    {
        var buckets = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, expected * 2 / Shards));
        _shards = new Shard[Shards];
        for (var i = 0; i < Shards; i++)
        {
            _shards[i] = new Shard(buckets);
        }
    }

    /// <summary>Joins the request of a key, or starts one.</summary>
    /// <param name="key">The key.</param>
    /// <param name="request">The request to start, if there is none.</param>
    /// <param name="caller">The row that needs the outcome.</param>
    /// <param name="isOpen">Returns whether the caller may still join; called under the lock under which callers leave.</param>
    /// <param name="check">The identity of the check that the answer must pass: outcomes of different checks are not shared.</param>
    public Entry Enter(
        RequestKey key, InFlightRequest<TCaller> request, TCaller caller, Func<TCaller, bool> isOpen, object? check = null)
    {
        Shard shard = ShardOf(key);
        lock (shard.Lock)
        {
            if (!isOpen(caller))
            {
                return Entry.Refused;
            }

            ref InFlightRequest<TCaller>? head = ref shard.HeadOf(key);
            for (InFlightRequest<TCaller>? other = head; other is not null; other = other.Next)
            {
                // A request that was called off has no outcome to share.
                if (other.Key == key && !other.IsCalledOff && ReferenceEquals(other.Check, check))
                {
                    other.Callers.Add(caller);
                    return Entry.Joined;
                }
            }

            request.Prepare(key, check);
            request.Callers.Add(caller);
            request.Next = head;
            head = request;
            return Entry.Leads;
        }
    }

    /// <summary>Ends a request: it cannot be joined any more.</summary>
    /// <param name="request">The request.</param>
    /// <param name="callers">Receives the callers that wait.</param>
    /// <param name="state">Handed to <paramref name="remember"/>.</param>
    /// <param name="remember">Called before another request of the same key can start.</param>
    public void End<TState>(InFlightRequest<TCaller> request, List<TCaller> callers, TState state, Action<TState, List<TCaller>> remember)
    {
        callers.Clear();
        Shard shard = ShardOf(request.Key);
        lock (shard.Lock)
        {
            ref InFlightRequest<TCaller>? place = ref shard.HeadOf(request.Key);
            while (!ReferenceEquals(place, request))
            {
                place = ref place!.Next;
            }

            place = request.Next;
            request.Next = null;
            callers.AddRange(request.Callers);
            request.Callers.Clear();
            remember(state, callers);
        }
    }

    /// <summary>Removes callers from their requests. A request without callers is called off.</summary>
    /// <param name="leaving">Selects the callers.</param>
    /// <param name="sent">Receives those whose request was being sent, and with its failure those whose request waits for another
    /// send.</param>
    public void Leave(Predicate<TCaller> leaving, List<LeftCaller<TCaller>> sent)
    {
        foreach (Shard shard in _shards)
        {
            lock (shard.Lock)
            {
                foreach (InFlightRequest<TCaller> request in shard.Requests())
                {
                    InFlightPhase phase = request.Phase;
                    bool isUnderWay = phase is InFlightPhase.Sending or InFlightPhase.Final;
                    if (isUnderWay || request.LastFailure is not null)
                    {
                        // A send under way counts as one, although it has not ended.
                        int sends = request.Attempts + (phase == InFlightPhase.Sending ? 1 : 0);
                        LlmException? failure = isUnderWay ? null : request.LastFailure;
                        sent.AddRange(Left(request, request.Callers.FindAll(leaving), failure, sends));
                    }

                    if (request.Callers.RemoveAll(leaving) > 0 && request.Callers.Count == 0)
                    {
                        request.CallOff();
                    }
                }
            }
        }
    }

    /// <summary>Removes callers from requests that are not being sent. What is being sent is awaited.</summary>
    /// <param name="stopping">Selects the callers.</param>
    /// <param name="left">Receives those that left, with the failure of their last send.</param>
    public void LeaveWaiting(Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        foreach (Shard shard in _shards)
        {
            lock (shard.Lock)
            {
                foreach (InFlightRequest<TCaller> request in shard.Requests())
                {
                    LeaveWaiting(request, stopping, left);
                }
            }
        }
    }

    /// <summary>Does the same for one request of the table.</summary>
    public void LeaveWaitingOne(InFlightRequest<TCaller> request, Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        lock (ShardOf(request.Key).Lock)
        {
            LeaveWaiting(request, stopping, left);
        }
    }

    /// <summary>Lets an answered request be sent again, to correct its answer.</summary>
    /// <returns>Whether a caller still waits; if not, the request is called off.</returns>
    public bool Reopen(InFlightRequest<TCaller> request)
    {
        lock (ShardOf(request.Key).Lock)
        {
            request.Reopen();
            return request.Callers.Count > 0 || !request.TryCallOffWaiting();
        }
    }

    private static void LeaveWaiting(InFlightRequest<TCaller> request, Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        if (!request.Callers.Exists(stopping))
        {
            return;
        }

        request.NoteStopped();
        if (request.Phase != InFlightPhase.Waiting)
        {
            return;
        }

        // If all callers leave, the request must be called off first: a send may begin at any moment.
        if (request.Callers.TrueForAll(stopping) && !request.TryCallOffWaiting())
        {
            return;
        }

        List<TCaller> leaving = request.Callers.FindAll(stopping);
        left.AddRange(Left(request, leaving, request.LastFailure, request.Attempts));
        request.Callers.RemoveAll(stopping);
    }

    // The sends are those of the first, unless others still wait for them.
    private static IEnumerable<LeftCaller<TCaller>> Left(
        InFlightRequest<TCaller> request, List<TCaller> leaving, LlmException? lastFailure, int sends)
    {
        bool allLeave = leaving.Count == request.Callers.Count;
        return leaving.Select((caller, i) => new LeftCaller<TCaller>(caller, request.Key, lastFailure)
        {
            Charged = allLeave && i == 0 ? request.Charged : 0,
            Attempts = allLeave && i == 0 ? sends : 0,
            Unpriced = allLeave && i == 0 ? request.Unpriced : 0,
        });
    }

    private Shard ShardOf(RequestKey key) => _shards[key.GetHashCode() & (Shards - 1)];

    private sealed class Shard(int buckets)
    {
        public Lock Lock { get; } = new();

        public InFlightRequest<TCaller>?[] Heads { get; } = new InFlightRequest<TCaller>?[buckets];

        public IEnumerable<InFlightRequest<TCaller>> Requests()
        {
            foreach (InFlightRequest<TCaller>? head in Heads)
            {
                for (InFlightRequest<TCaller>? request = head; request is not null; request = request.Next)
                {
                    yield return request;
                }
            }
        }

        public ref InFlightRequest<TCaller>? HeadOf(RequestKey key) => ref Heads[(key.GetHashCode() >>> 4) & (Heads.Length - 1)];
    }
}

/// <summary>Represents a caller that was removed from its request.</summary>
/// <param name="Caller">The caller.</param>
/// <param name="Key">The key of the request.</param>
/// <param name="LastFailure">Why the last send failed, if there was one.</param>
internal readonly record struct LeftCaller<TCaller>(TCaller Caller, RequestKey Key, LlmException? LastFailure)
{
    /// <summary>Gets what failed sends stay charged with; set for one of the callers of the request.</summary>
    public decimal Charged { get; init; }

    /// <summary>Gets how many sends there were; set for one of the callers of the request.</summary>
    public int Attempts { get; init; }

    /// <summary>Gets how many of them have a cost that is not known; set for one of the callers of the request.</summary>
    public int Unpriced { get; init; }
}

/// <summary>Specifies how a row entered the table.</summary>
internal enum Entry
{
    /// <summary>It leads a new request.</summary>
    Leads,

    /// <summary>It joined a request, and gets its outcome.</summary>
    Joined,

    /// <summary>Its run has stopped.</summary>
    Refused,
}
