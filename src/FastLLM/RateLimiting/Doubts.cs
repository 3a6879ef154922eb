namespace FastLLM.RateLimiting;

/// <summary>What may have been chance the first time.</summary>
internal enum Doubt
{
    /// <summary>A cut helped.</summary>
    Cut,

    /// <summary>Everything was refused for seconds, though the limits that are known had held.</summary>
    Outage,

    /// <summary>Noise was found after a closure.</summary>
    Closure,

    /// <summary>A limit was seen beside the noise: the second time, the floor is wrong.</summary>
    Regular,
}

/// <summary>Remembers what may have been chance, so that the second time counts.</summary>
internal sealed class Doubts
{
    // What is bad again is so within some hundred sends; by chance it may be after some thousands.
    private const int Memory = 2000;

    private readonly long[] _until = [-1, -1, -1, -1];

    /// <summary>Tells whether it was seen a short time ago, and remembers that it was seen now.</summary>
    /// <param name="doubt">What was seen.</param>
    /// <param name="count">The sends so far.</param>
    public bool Repeat(Doubt doubt, long count)
    {
        bool repeats = count < _until[(int)doubt];
        _until[(int)doubt] = count + Memory;
        return repeats;
    }
}
