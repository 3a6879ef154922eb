using System.Globalization;

namespace FastLLM.Simulator.Throttling;

/// <summary>A token bucket of requests.</summary>
internal sealed record BucketLaw(double Rate, TimeSpan Period, int Burst) : ThrottleLaw
{
    private protected override string Text =>
        string.Create(CultureInfo.InvariantCulture, $"bucket:{Rate}/{ThrottleText.Format(Period)},burst:{Burst}");

    internal override ILawState Start(ulong salt, TimeSpan now)
    {
        double perSecond = Rate / Period.TotalSeconds;
        return new State(new Bucket(perSecond, Burst / perSecond), now);
    }

    // The bucket counts seconds in floating point, from its own start so that they stay exact.
    private sealed class State(Bucket bucket, TimeSpan start) : ILawState
    {
        public LawDecision Decide(in Arrival arrival) =>
            bucket.Wait(Seconds(arrival), 1) is > 0 and var wait ? LawDecision.RefuseFor(TimeSpan.FromSeconds(wait)) : default;

        public void Admit(in Arrival arrival) => bucket.Take(Seconds(arrival), 1);

        private double Seconds(in Arrival arrival) => (arrival.Now - start).TotalSeconds;
    }
}
