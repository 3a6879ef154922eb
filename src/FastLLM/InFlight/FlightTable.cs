namespace FastLLM.InFlight;

/// <summary>All flights of a manager, by key. Joining and ending are one step each, so that there is never a second leader.</summary>
/// <remarks>Flights are chained through themselves: a request in flight costs no dictionary entry.</remarks>
internal sealed class FlightTable<TCaller>
    where TCaller : struct
{
    private const int Shards = 16;

    private readonly Shard[] _shards;

    /// <summary>Creates an empty table.</summary>
    /// <param name="expected">About how many flights there will be at once.</param>
    public FlightTable(int expected)
    {
        var buckets = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, expected * 2 / Shards));
        _shards = new Shard[Shards];
        for (var i = 0; i < Shards; i++)
        {
            _shards[i] = new Shard(buckets);
        }
    }

    /// <summary>Joins the flight of this key, or begins one.</summary>
    /// <param name="key">What is asked.</param>
    /// <param name="flight">The flight to begin, if there is none.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="isOpen">Whether the caller still asks; read under the lock under which callers leave.</param>
    public Entry Enter(RequestKey key, Flight<TCaller> flight, TCaller caller, Func<TCaller, bool> isOpen)
    {
        Shard shard = ShardOf(key);
        lock (shard.Gate)
        {
            if (!isOpen(caller))
            {
                return Entry.Refused;
            }

            ref Flight<TCaller>? head = ref shard.HeadOf(key);
            for (Flight<TCaller>? other = head; other is not null; other = other.Next)
            {
                // A flight that was called off has no verdict to share.
                if (other.Key == key && !other.IsCalledOff)
                {
                    other.Callers.Add(caller);
                    return Entry.Joined;
                }
            }

            flight.Prepare(key);
            flight.Callers.Add(caller);
            flight.Next = head;
            head = flight;
            return Entry.Leads;
        }
    }

    /// <summary>Ends a flight: from here on, nobody can join it.</summary>
    /// <param name="flight">The flight.</param>
    /// <param name="callers">Filled with those who wait for the verdict.</param>
    /// <param name="state">Handed to <paramref name="remember"/>.</param>
    /// <param name="remember">Called before anybody can begin another flight of the same key.</param>
    public void End<TState>(Flight<TCaller> flight, List<TCaller> callers, TState state, Action<TState, List<TCaller>> remember)
    {
        callers.Clear();
        Shard shard = ShardOf(flight.Key);
        lock (shard.Gate)
        {
            ref Flight<TCaller>? place = ref shard.HeadOf(flight.Key);
            while (!ReferenceEquals(place, flight))
            {
                place = ref place!.Next;
            }

            place = flight.Next;
            flight.Next = null;
            callers.AddRange(flight.Callers);
            flight.Callers.Clear();
            remember(state, callers);
        }
    }

    /// <summary>Takes callers out of their flights. A flight whose last caller leaves is called off.</summary>
    /// <param name="leaving">Who leaves.</param>
    /// <param name="inFlight">Filled with those whose request was being sent.</param>
    public void Leave(Predicate<TCaller> leaving, List<LeftCaller<TCaller>> inFlight)
    {
        foreach (Shard shard in _shards)
        {
            lock (shard.Gate)
            {
                foreach (Flight<TCaller> flight in shard.Flights())
                {
                    if (flight.Phase is FlightPhase.Sending or FlightPhase.Answered)
                    {
                        inFlight.AddRange(flight.Callers.FindAll(leaving).Select(caller => new LeftCaller<TCaller>(caller, flight.Key, null)));
                    }

                    if (flight.Callers.RemoveAll(leaving) > 0 && flight.Callers.Count == 0)
                    {
                        flight.CallOff();
                    }
                }
            }
        }
    }

    /// <summary>Takes callers out of flights that are not being sent: they get no send any more. What is being sent is waited for.</summary>
    /// <param name="stopping">Who gets no send any more.</param>
    /// <param name="left">Filled with those who left, and why their last send failed, if there was one.</param>
    public void LeaveWaiting(Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        foreach (Shard shard in _shards)
        {
            lock (shard.Gate)
            {
                foreach (Flight<TCaller> flight in shard.Flights())
                {
                    LeaveWaiting(flight, stopping, left);
                }
            }
        }
    }

    /// <summary>The same for one flight, which must be in the table.</summary>
    public void LeaveWaitingOne(Flight<TCaller> flight, Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        lock (ShardOf(flight.Key).Gate)
        {
            LeaveWaiting(flight, stopping, left);
        }
    }

    private static void LeaveWaiting(Flight<TCaller> flight, Predicate<TCaller> stopping, List<LeftCaller<TCaller>> left)
    {
        if (flight.Callers.Count == 0 || flight.Phase != FlightPhase.Waiting)
        {
            return;
        }

        // Where nobody stays, the flight must be called off before its callers are told so: a send may begin at any moment.
        if (flight.Callers.TrueForAll(stopping) && !flight.TryCallOffWaiting())
        {
            return;
        }

        List<TCaller> leaving = flight.Callers.FindAll(stopping);
        bool allLeave = leaving.Count == flight.Callers.Count;
        left.AddRange(leaving.Select((caller, i) => new LeftCaller<TCaller>(caller, flight.Key, flight.LastFailure) { Charged = allLeave && i == 0 ? flight.Charged : 0 }));
        flight.Callers.RemoveAll(stopping);
    }

    private Shard ShardOf(RequestKey key) => _shards[key.GetHashCode() & (Shards - 1)];

    private sealed class Shard(int buckets)
    {
        public Lock Gate { get; } = new();

        public Flight<TCaller>?[] Heads { get; } = new Flight<TCaller>?[buckets];

        public IEnumerable<Flight<TCaller>> Flights()
        {
            foreach (Flight<TCaller>? head in Heads)
            {
                for (Flight<TCaller>? flight = head; flight is not null; flight = flight.Next)
                {
                    yield return flight;
                }
            }
        }

        public ref Flight<TCaller>? HeadOf(RequestKey key) => ref Heads[(key.GetHashCode() >>> 4) & (Heads.Length - 1)];
    }
}

/// <summary>A caller that was taken out of its flight.</summary>
/// <param name="Caller">Who.</param>
/// <param name="Key">What was asked.</param>
/// <param name="LastFailure">Why the last send failed, if there was one.</param>
internal readonly record struct LeftCaller<TCaller>(TCaller Caller, RequestKey Key, LlmException? LastFailure)
{
    /// <summary>What failed sends stay charged with: told to one of those who share the flight.</summary>
    public decimal Charged { get; init; }
}

/// <summary>How a request entered the table of flights.</summary>
internal enum Entry
{
    /// <summary>It began a flight, and has to see it through.</summary>
    Leads,

    /// <summary>It joined a flight, and gets that one's verdict.</summary>
    Joined,

    /// <summary>Its caller does not ask any more.</summary>
    Refused,
}
