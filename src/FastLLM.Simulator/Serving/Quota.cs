namespace FastLLM.Simulator.Serving;

/// <summary>The money of the simulated account, counted in answers. Thread-safe.</summary>
internal sealed class Quota(long answers)
{
    private long _taken;

    public bool IsUsedUp => Volatile.Read(ref _taken) >= answers;

    /// <summary>Takes an answer's part, if there is one left.</summary>
    public bool TryTake()
    {
        long taken = Volatile.Read(ref _taken);
        while (taken < answers)
        {
            long seen = Interlocked.CompareExchange(ref _taken, taken + 1, taken);
            if (seen == taken)
            {
                return true;
            }

            taken = seen;
        }

        return false;
    }

    public void GiveBack() => Interlocked.Decrement(ref _taken);
}
