namespace FastLLM.RateLimiting;

/// <summary>Counts strictly what was sent in the last minute, so that no 60 seconds ever hold more than the limit.</summary>
/// <remarks>
/// <para>A send counts from the lease on, and for 60.8 seconds from the moment at which its body was written. The 0.8 seconds are for
/// the network: the provider counts at receipt, and a send may take longer to arrive than a later one.</para>
/// <para>Memory is constant: amounts are added up in slots of 50 ms. Times are seconds on the clock of <see cref="RateLimiters"/>, under
/// whose lock it stands.</para>
/// </remarks>
internal sealed class MinuteWindow(double limit)
{
    /// <summary>How long a send counts.</summary>
    public const double Length = 60.8;

    /// <summary>The place of an amount that was not sent yet.</summary>
    public const long NotSent = -1;

    private const double Slot = 0.05;
    private const double Before = 64; // an earlier process may have sent before the clock began
    private const int Slots = 1_217; // the length in slots, and the present one

    private readonly double[] _slots = new double[Slots];
    private long _oldest;
    private double _sent;
    private double _pending;

    /// <summary>Gets what counts now.</summary>
    public double Used => _sent + _pending;

    /// <summary>Returns how long until this much fits; infinite if sends must first be written or end.</summary>
    public double Wait(double now, double cost)
    {
        Expire(now);
        double over = Used + Math.Min(cost, limit) - limit;
        if (over <= 1e-9)
        {
            return 0;
        }

        for (long slot = _oldest; slot < _oldest + Slots; slot++)
        {
            over -= _slots[slot % Slots];
            if (over <= 1e-9)
            {
                return Math.Max(EndOf(slot) - now, 1e-9);
            }
        }

        return double.PositiveInfinity;
    }

    /// <summary>Counts what is about to be sent.</summary>
    public void Reserve(double cost) => _pending += cost;

    /// <summary>Notes when it was sent.</summary>
    /// <returns>Its place.</returns>
    public long Place(double now, double cost)
    {
        _pending -= cost;
        return Add(now, cost);
    }

    /// <summary>Counts what was sent without a reservation.</summary>
    public long Add(double at, double cost)
    {
        Expire(at);
        long slot = SlotOf(at);
        _slots[slot % Slots] += cost;
        _sent += cost;
        return slot;
    }

    /// <summary>Changes an amount; what is no longer in the window is ignored.</summary>
    public void Change(long place, double difference)
    {
        if (place == NotSent)
        {
            _pending += difference;
        }
        else if (place >= _oldest)
        {
            _slots[place % Slots] += difference;
            _sent += difference;
        }
    }

    /// <summary>Returns what counts of each of the last seconds, the present one first.</summary>
    /// <remarks>What is not sent yet counts as if it were sent now.</remarks>
    public void CopyTo(double now, Span<double> seconds)
    {
        double pending = Copy(now, 1, seconds);
        seconds[0] += pending;
    }

    /// <summary>Returns what was sent by its age, the youngest first.</summary>
    /// <param name="now">The time.</param>
    /// <param name="length">The seconds of each amount.</param>
    /// <param name="amounts">Receives the amounts.</param>
    /// <returns>What is not sent yet.</returns>
    public double Copy(double now, double length, Span<double> amounts)
    {
        Expire(now);
        amounts.Clear();
        for (long slot = _oldest; slot <= SlotOf(now); slot++)
        {
            amounts[Math.Clamp((int)((now + Before - (slot * Slot)) / length), 0, amounts.Length - 1)] += _slots[slot % Slots];
        }

        return _pending;
    }

    private static long SlotOf(double at) => (long)((at + Before) / Slot);

    // What was sent at the end of a slot counts up to one slot shorter.
    private static double EndOf(long slot) => (slot * Slot) - Before + Length;

    private void Expire(double now)
    {
        for (var i = 0; i < Slots && EndOf(_oldest) <= now; i++, _oldest++)
        {
            ref double slot = ref _slots[_oldest % Slots];
            _sent -= slot;
            slot = 0;
        }

        if (EndOf(_oldest) <= now)
        {
            _oldest = SlotOf(now - Length) + 1; // nothing was sent for a minute
            _sent = 0;
        }
    }
}
