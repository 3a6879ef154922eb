namespace FastLLM.Pipeline;

/// <summary>All requests of a manager, by key. Joining and ending are one step each, so that there is never a second leader.</summary>
/// <remarks>Flights are chained through themselves: a request in request costs no dictionary entry.</remarks>
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

    /// <summary>Joins the request of this key, or begins one.</summary>
    /// <param name="key">What is asked.</param>
    /// <param name="request">The request to begin, if there is none.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="isOpen">Whether the caller still asks; read under the lock under which callers leave.</param>
    public Entry Enter(RequestKey key, InFlightRequest<TCaller> request, TCaller caller, Func<TCaller, bool> isOpen)
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
                // A request that was called off has no verdict to share.
                if (other.Key == key && !other.IsCalledOff)
                {
                    other.Callers.Add(caller);
                    return Entry.Joined;
                }
            }

            request.Prepare(key);
            request.Callers.Add(caller);
            request.Next = head;
            head = request;
            return Entry.Leads;
        }
    }

    /// <summary>Ends a request: from here on, nobody can join it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="callers">Filled with those who wait for the verdict.</param>
    /// <param name="state">Handed to <paramref name="remember"/>.</param>
    /// <param name="remember">Called before anybody can begin another request of the same key.</param>
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

    /// <summary>Takes callers out of their requests. A request whose last caller leaves is called off.</summary>
    /// <param name="leaving">Who leaves.</param>
    /// <param name="inFlight">Filled with those whose request was being sent.</param>
    public void Leave(Predicate<TCaller> leaving, List<LeftCaller<TCaller>> inFlight)
    {
        foreach (Shard shard in _shards)
        {
            lock (shard.Lock)
            {
                foreach (InFlightRequest<TCaller> request in shard.Requests())
                {
                    if (request.Phase is InFlightPhase.Sending or InFlightPhase.Final)
                    {
                        inFlight.AddRange(
                            request.Callers.FindAll(leaving).Select(caller => new LeftCaller<TCaller>(caller, request.Key, null)));
                    }

                    if (request.Callers.RemoveAll(leaving) > 0 && request.Callers.Count == 0)
                    {
                        request.CallOff();
                    }
                }
            }
        }
    }

    /// <summary>Takes callers out of requests that are not being sent: they get no send any more. What is being sent is waited
    /// for.</summary>
    /// <param name="stopping">Who gets no send any more.</param>
    /// <param name="left">Filled with those who left, and why their last send failed, if there was one.</param>
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

    /// <summary>The same for one request, which must be in the table.</summary>
    public void LeaveWaitingOne(InFlightRequest<TCaller> request, Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        lock (ShardOf(request.Key).Lock)
        {
            LeaveWaiting(request, stopping, left);
        }
    }

    private static void LeaveWaiting(InFlightRequest<TCaller> request, Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        if (request.Callers.Count == 0 || request.Phase != InFlightPhase.Waiting)
        {
            return;
        }

        // Where nobody stays, the request must be called off before its callers are told so: a send may begin at any moment.
        if (request.Callers.TrueForAll(stopping) && !request.TryCallOffWaiting())
        {
            return;
        }

        List<TCaller> leaving = request.Callers.FindAll(stopping);
        bool allLeave = leaving.Count == request.Callers.Count;
        left.AddRange(leaving.Select((caller, i) =>
            new LeftCaller<TCaller>(caller, request.Key, request.LastFailure) { Charged = allLeave && i == 0 ? request.Charged : 0 }));
        request.Callers.RemoveAll(stopping);
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

/// <summary>A caller that was taken out of its request.</summary>
/// <param name="Caller">Who.</param>
/// <param name="Key">What was asked.</param>
/// <param name="LastFailure">Why the last send failed, if there was one.</param>
internal readonly record struct LeftCaller<TCaller>(TCaller Caller, RequestKey Key, LlmException? LastFailure)
{
    /// <summary>What failed sends stay charged with: told to one of those who share the request.</summary>
    public decimal Charged { get; init; }
}

/// <summary>How a request entered the table of requests.</summary>
internal enum Entry
{
    /// <summary>It began a request, and has to see it through.</summary>
    Leads,

    /// <summary>It joined a request, and gets that one's verdict.</summary>
    Joined,

    /// <summary>Its caller does not ask any more.</summary>
    Refused,
}
