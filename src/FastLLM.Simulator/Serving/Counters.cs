using System.Runtime.InteropServices;
using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator.Serving;

/// <summary>The simulator's counts. A send costs some atomic additions and one look-up in a dictionary that holds no objects.</summary>
internal sealed class Counters
{
    private const int Statuses = 600;
    private const int Stripes = 64;

    private static readonly (ServedPath Path, string Name)[] s_paths =
    [
        (ServedPath.ChatCompletions, "/v1/chat/completions"),
        (ServedPath.Embeddings, "/v1/embeddings"),
        (ServedPath.Responses, "/v1/responses"),
        (ServedPath.Completions, "/v1/completions"),
        (ServedPath.Models, "/v1/models"),
        (ServedPath.Other, "other"),
    ];

    private readonly long[] _requests = new long[((int)ServedPath.Other + 1) * Statuses];
    private readonly long[] _faults = new long[(int)SimulatorFault.ErrorInOk + 1];
    private readonly Dictionary<BodyHash, int>[] _bodies; // how often each was sent; each stripe is its own lock
    private readonly Dictionary<ThrottleLaw, long> _throttled = []; // its own lock
    private long _sends;
    private long _bodiesSent;
    private int _inFlight;
    private int _peak;
    private volatile (Func<SimulatorStats, bool> Condition, TaskCompletionSource Met)[] _waiters = [];

    public Counters()
    {
        _bodies = new Dictionary<BodyHash, int>[Stripes];
        for (int i = 0; i < Stripes; i++)
        {
            _bodies[i] = [];
        }
    }

    public void Enter()
    {
        int now = Interlocked.Increment(ref _inFlight);
        int peak = Volatile.Read(ref _peak);
        while (now > peak)
        {
            int seen = Interlocked.CompareExchange(ref _peak, now, peak);
            if (seen == peak)
            {
                break;
            }

            peak = seen;
        }
    }

    /// <summary>Counts a request as answered. Called before the answer leaves, so that no client is counted twice.</summary>
    public void Leave(ServedPath path, int status)
    {
        Interlocked.Increment(ref _requests[((int)path * Statuses) + status]);
        Interlocked.Decrement(ref _inFlight);
        Changed();
    }

    /// <returns>How often this body has been sent, with this time.</returns>
    public int Send(BodyHash body)
    {
        Interlocked.Increment(ref _sends);
        Dictionary<BodyHash, int> stripe = _bodies[body.High % Stripes];
        lock (stripe)
        {
            return ++CollectionsMarshal.GetValueRefOrAddDefault(stripe, body, out _);
        }
    }

    public void Meet(SimulatorFault fault)
    {
        Interlocked.Increment(ref _faults[(int)fault]);
        Changed();
    }

    public void Refuse(ThrottleLaw law)
    {
        lock (_throttled)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_throttled, law, out _)++;
        }
    }

    public void BodySent(int change) => Interlocked.Add(ref _bodiesSent, change);

    /// <summary>Completes when the counts satisfy a condition after a request has met a fault or has left.</summary>
    public Task UntilAsync(Func<SimulatorStats, bool> condition)
    {
        var met = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_bodies)
        {
            _waiters = [.. _waiters, (condition, met)];
        }

        Changed();
        return met.Task;
    }

    public void Reset()
    {
        Array.Clear(_requests);
        Array.Clear(_faults);
        foreach (Dictionary<BodyHash, int> stripe in _bodies)
        {
            lock (stripe)
            {
                stripe.Clear();
            }
        }

        lock (_throttled)
        {
            _throttled.Clear();
        }

        Interlocked.Exchange(ref _sends, 0);
        Interlocked.Exchange(ref _bodiesSent, 0);
        Interlocked.Exchange(ref _peak, Volatile.Read(ref _inFlight));
    }

    public SimulatorStats Snapshot()
    {
        long distinct = 0;
        foreach (Dictionary<BodyHash, int> stripe in _bodies)
        {
            lock (stripe)
            {
                distinct += stripe.Count;
            }
        }

        var requests = new Dictionary<string, IReadOnlyDictionary<int, long>>();
        foreach ((ServedPath path, string name) in s_paths)
        {
            SortedDictionary<int, long> statuses = NotZero(_requests.AsSpan((int)path * Statuses, Statuses), static status => status);
            if (statuses.Count > 0)
            {
                requests[name] = statuses;
            }
        }

        return new SimulatorStats
        {
            Requests = requests,
            Sends = Interlocked.Read(ref _sends),
            DistinctBodies = distinct,
            InFlight = Volatile.Read(ref _inFlight),
            PeakInFlight = Volatile.Read(ref _peak),
            BodiesSent = Interlocked.Read(ref _bodiesSent),
            Rejected = requests.Values.Sum(static statuses => statuses.GetValueOrDefault(429)),
            Faults = NotZero(_faults, static fault => (SimulatorFault)fault),
            Throttled = Throttled(),
        };
    }

    private void Changed()
    {
        if (_waiters.Length == 0)
        {
            return;
        }

        SimulatorStats stats = Snapshot();
        lock (_bodies)
        {
            _waiters = [.. _waiters.Where(waiter => !waiter.Condition(stats) || !waiter.Met.TrySetResult())];
        }
    }

    private static SortedDictionary<T, long> NotZero<T>(Span<long> counts, Func<int, T> key)
        where T : notnull
    {
        var found = new SortedDictionary<T, long>();
        for (int i = 0; i < counts.Length; i++)
        {
            if (Interlocked.Read(ref counts[i]) is > 0 and var count)
            {
                found[key(i)] = count;
            }
        }

        return found;
    }

    private Dictionary<ThrottleLaw, long> Throttled()
    {
        lock (_throttled)
        {
            return new Dictionary<ThrottleLaw, long>(_throttled);
        }
    }
}
