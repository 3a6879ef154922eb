namespace FastLLM.Simulator.Throttling;

/// <summary>Limits the number of requests that are answered at the same time.</summary>
internal sealed record ConcurrencyLaw(int Limit) : ThrottleLaw
{
    private protected override string Text => $"concurrency:{Limit}";

    internal override ILawState Start(ulong salt, TimeSpan now) => new State(Limit);

    // The number in flight is the server's own count, so a law that begins in the middle of a run knows it too.
    private sealed class State(int limit) : ILawState
    {
        public LawDecision Decide(in Arrival arrival) => new(arrival.InFlight >= limit);

        public void Admit(in Arrival arrival)
        {
        }
    }
}
