namespace FastLLM.RateLimiting;

/// <summary>Holds what another process has learned. Closures are probed here all the same.</summary>
internal sealed class Following(LawSearch search) : SearchPhase(search)
{
    public override void Begin(double now)
    {
    }

    public override void Advance(double now)
    {
    }

    public override void Reopened(double now, in Cycle cycle)
    {
    }
}
