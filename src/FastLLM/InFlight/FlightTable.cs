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
    public void Leave(Predicate<TCaller> leaving) => ForEach((flight, state) =>
    {
        if (flight.Callers.RemoveAll(state) > 0 && flight.Callers.Count == 0)
        {
            flight.CallOff();
        }
    }, leaving);

    /// <summary>Calls off the flights that are not being sent, where all callers say so.</summary>
    public void CallOffWaiting(Predicate<TCaller> stopping) => ForEach((flight, state) =>
    {
        if (flight.Callers.TrueForAll(state))
        {
            flight.CallOffIfWaiting();
        }
    }, stopping);

    private void ForEach(Action<Flight<TCaller>, Predicate<TCaller>> action, Predicate<TCaller> state)
    {
        foreach (Shard shard in _shards)
        {
            lock (shard.Gate)
            {
                foreach (Flight<TCaller>? head in shard.Heads)
                {
                    for (Flight<TCaller>? flight = head; flight is not null; flight = flight.Next)
                    {
                        action(flight, state);
                    }
                }
            }
        }
    }

    private Shard ShardOf(RequestKey key) => _shards[key.GetHashCode() & (Shards - 1)];

    private sealed class Shard(int buckets)
    {
        public Lock Gate { get; } = new();

        public Flight<TCaller>?[] Heads { get; } = new Flight<TCaller>?[buckets];

        public ref Flight<TCaller>? HeadOf(RequestKey key) => ref Heads[(key.GetHashCode() >>> 4) & (Heads.Length - 1)];
    }
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
