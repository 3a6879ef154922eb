using FastLLM.Simulator.Answers;
using FastLLM.Simulator.Serving;

namespace FastLLM.Simulator.Throttling;

/// <summary>Applies the laws of throttling that are in force to each request. Thread-safe.</summary>
internal sealed class Throttle
{
    private const ulong FirstSalt = 4UL << 32; // lower ones are those of latencies and faults
    private const ulong NextSalt = 1UL << 32;

    private readonly Lock _gate = new();
    private readonly ServerClock _clock;
    private readonly ulong _seed;
    private readonly ThrottleRetryAfter _retryAfter;
    private readonly Queue<(TimeSpan At, ThrottleLaw[] Laws)> _changes;
    private readonly List<(ThrottleLaw Law, ILawState State)> _laws = [];
    private TimeSpan? _firstArrival;
    private int _inFlight;

    private Throttle(SimulatorOptions options, ServerClock clock)
    {
        _clock = clock;
        _seed = (uint)options.Seed;
        _retryAfter = options.ThrottleRetryAfter;
        _changes = new Queue<(TimeSpan, ThrottleLaw[])>(options.ThrottleChanges
            .GroupBy(static change => change.At, static change => change.Laws)
            .OrderBy(static change => change.Key)
            .Select(static change => (change.Key, change.SelectMany(static laws => laws).ToArray())));
        Apply(options.ThrottleLaws, _clock.Now);
    }

    /// <returns><see langword="null"/> where nothing is throttled.</returns>
    public static Throttle? Of(SimulatorOptions options, ServerClock clock) =>
        options.ThrottleLaws.Count + options.ThrottleChanges.Count == 0 ? null : new Throttle(options, clock);

    /// <summary>Admits a request, which then counts as in flight, or refuses it, which no law counts.</summary>
    /// <returns>The refusal; <see langword="null"/> where all laws admit the request.</returns>
    public ThrottleRefusal? Admit(BodyHash body, int send)
    {
        lock (_gate)
        {
            TimeSpan now = _clock.Now;
            _firstArrival ??= now;
            while (_changes.TryPeek(out (TimeSpan At, ThrottleLaw[] Laws) change) && now - _firstArrival >= change.At - Arrival.Tolerance)
            {
                Apply(change.Laws, now);
                _changes.Dequeue();
            }

            var arrival = new Arrival(now, _inFlight, body, send);
            if (Decide(arrival) is { } refusal)
            {
                return refusal;
            }

            foreach ((_, ILawState state) in _laws)
            {
                state.Admit(arrival);
            }

            _inFlight++;
            return null;
        }
    }

    /// <summary>Ends what <see cref="Admit"/> began: the request is no longer in flight.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            _inFlight--;
        }
    }

    // The first law that refuses has refused it. Its client may come again when all laws admit it, as far as they know when.
    private ThrottleRefusal? Decide(in Arrival arrival)
    {
        ThrottleLaw? first = null;
        TimeSpan? longest = null;
        foreach ((ThrottleLaw law, ILawState state) in _laws)
        {
            LawDecision decision = state.Decide(arrival);
            if (decision.Refused)
            {
                first ??= law;
                longest = longest > decision.Wait ? longest : decision.Wait ?? longest;
            }
        }

        return first is null ? null : new ThrottleRefusal(first, _retryAfter.Of(longest));
    }

    private void Apply(IReadOnlyList<ThrottleLaw> laws, TimeSpan now)
    {
        List<(ThrottleLaw Law, ILawState State)> before = [.. _laws];
        _laws.Clear();
        foreach (ThrottleLaw law in laws)
        {
            int same = before.FindIndex(other => other.Law == law);
            ulong salt = _seed + FirstSalt + (NextSalt * (ulong)_laws.Count);
            _laws.Add((law, same >= 0 ? before[same].State : law.Start(salt, now)));
            if (same >= 0)
            {
                before.RemoveAt(same); // a law that is listed twice has two states
            }
        }
    }
}

/// <summary>Represents a refusal by a law of throttling.</summary>
/// <param name="Law">The law.</param>
/// <param name="RetryAfter">The Retry-After of the response, if any.</param>
internal sealed record ThrottleRefusal(ThrottleLaw Law, TimeSpan? RetryAfter);
