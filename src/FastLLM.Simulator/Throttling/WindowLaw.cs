namespace FastLLM.Simulator.Throttling;

/// <summary>Limits the number of requests in each period of the clock.</summary>
internal sealed record WindowLaw(int Limit, TimeSpan Period) : ThrottleLaw
{
    private protected override string Text => $"window:{Limit}/{ThrottleText.Format(Period)}";

    internal override ILawState Start(ulong salt, TimeSpan now) => new State(Limit, Period);

    private sealed class State(int limit, TimeSpan period) : ILawState
    {
        private long _window = -1;
        private int _admitted;

        public LawDecision Decide(in Arrival arrival)
        {
            long window = WindowOf(arrival);
            return window != _window || _admitted < limit ? default : LawDecision.RefuseFor((period * (window + 1)) - arrival.Now);
        }

        public void Admit(in Arrival arrival)
        {
            long window = WindowOf(arrival);
            _admitted = window == _window ? _admitted + 1 : 1;
            _window = window;
        }

        private long WindowOf(in Arrival arrival) => (arrival.Now + Arrival.Tolerance).Ticks / period.Ticks;
    }
}
