namespace FastLLM.RateLimiting;

/// <summary>Remembers that a cut helped, so that the second time counts: once may have been chance.</summary>
internal sealed class Doubts
{
    // What is bad again is so within some hundred sends; by chance it may be after some thousands.
    private const int Memory = 2000;

    private long _until = -1;

    public bool Repeats(long count)
    {
        bool repeats = count < _until;
        _until = count + Memory;
        return repeats;
    }
}
