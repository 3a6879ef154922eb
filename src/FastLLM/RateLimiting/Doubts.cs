namespace FastLLM.RateLimiting;

/// <summary>Remembers that a cut helped, so that the second time counts: once may have been chance.</summary>
internal sealed class Doubts
{
    private const double Memory = 15;

    private double _until = double.NegativeInfinity;

    public bool Repeats(double now)
    {
        bool repeats = now < _until;
        _until = now + Memory;
        return repeats;
    }
}
