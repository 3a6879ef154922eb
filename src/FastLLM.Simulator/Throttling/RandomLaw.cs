using System.Globalization;

namespace FastLLM.Simulator.Throttling;

/// <summary>Refuses a share of the requests, whatever their rate.</summary>
internal sealed record RandomLaw(double Share) : ThrottleLaw
{
    private protected override string Text => string.Create(CultureInfo.InvariantCulture, $"random:{(decimal)Share * 100:0.########}%");

    internal override ILawState Start(ulong salt, TimeSpan now) => new State(Share, salt);

    private sealed class State(double share, ulong salt) : ILawState
    {
        public LawDecision Decide(in Arrival arrival) => new(arrival.Body.Fraction(salt, (ulong)arrival.Send) < share);

        public void Admit(in Arrival arrival)
        {
        }
    }
}
