namespace FastLLM.Pipeline;

/// <summary>Counts the sends of a run in flight, so that those which had begun before a moment can be awaited while others begin.</summary>
/// <remarks>A send belongs to the epoch in which it began; two epochs exist at a time. A send costs two increments. Safe for concurrent
/// use, except <see cref="TryBeginEpoch"/>, which the lock of the <see cref="SharedFailureDetector"/> guards.</remarks>
internal sealed class SendCounts
{
    private const int EpochShift = 40; // a run has fewer than 2^40 sends

    private readonly long[] _begun = new long[2];
    private readonly long[] _returned = new long[2];
    private long _epoch;

    /// <summary>Gets a value indicating whether any send is in flight.</summary>
    public bool IsAny => IsIn(0) || IsIn(1);

    /// <summary>Gets a value indicating whether a send of the earlier epoch is in flight.</summary>
    public bool IsEarlier => IsIn((_epoch + 1) & 1);

    /// <summary>Gets the number of the last send that has begun.</summary>
    public long Last
    {
        get
        {
            long epoch = Volatile.Read(ref _epoch);
            return (epoch << EpochShift) + Volatile.Read(ref _begun[epoch & 1]);
        }
    }

    /// <summary>Begins a send.</summary>
    /// <returns>Its number, which is never 0 and grows.</returns>
    public long Begin()
    {
        long epoch = Volatile.Read(ref _epoch);
        return (epoch << EpochShift) + Interlocked.Increment(ref _begun[epoch & 1]);
    }

    /// <summary>Notes that a send has returned.</summary>
    public void Return(long number) => Interlocked.Increment(ref _returned[(number >> EpochShift) & 1]);

    /// <summary>Begins an epoch, unless sends of the earlier one are in flight.</summary>
    public bool TryBeginEpoch()
    {
        bool isFree = !IsEarlier;
        Volatile.Write(ref _epoch, _epoch + (isFree ? 1 : 0));
        return isFree;
    }

    private bool IsIn(long epoch) => Volatile.Read(ref _begun[epoch]) != Volatile.Read(ref _returned[epoch]);
}
