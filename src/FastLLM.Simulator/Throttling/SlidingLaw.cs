namespace FastLLM.Simulator.Throttling;

/// <summary>Limits the number of requests in any stretch of time of a given length.</summary>
internal sealed record SlidingLaw(int Limit, TimeSpan Period) : ThrottleLaw
{
    private protected override string Text => $"sliding:{Limit}/{ThrottleText.Format(Period)}";

    internal override ILawState Start(ulong salt, TimeSpan now) => new State(Limit, Period);

    private sealed class State(int limit, TimeSpan period) : ILawState
    {
        private readonly Queue<TimeSpan> _last = new(); // when the last requests were admitted, at most as many as the limit

        public LawDecision Decide(in Arrival arrival)
        {
            if (_last.Count < limit)
            {
                return default;
            }

            TimeSpan wait = _last.Peek() + period - arrival.Now;
            return wait <= Arrival.Tolerance ? default : LawDecision.RefuseFor(wait);
        }

        public void Admit(in Arrival arrival)
        {
            if (_last.Count == limit)
            {
                _last.Dequeue();
            }

            _last.Enqueue(arrival.Now);
        }
    }
}
