using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator.Throttling;

/// <summary>Represents a law at work. Its decisions depend on the requests it has admitted and on the one it looks at.</summary>
/// <remarks>Not thread-safe: <see cref="Throttle"/> locks.</remarks>
internal interface ILawState
{
    /// <summary>Decides on a request and changes nothing.</summary>
    LawDecision Decide(in Arrival arrival);

    /// <summary>Counts a request that all laws have admitted.</summary>
    void Admit(in Arrival arrival);
}

/// <summary>Represents what a law may know of a request.</summary>
/// <param name="Now">The time of its arrival since 1970-01-01 00:00 UTC.</param>
/// <param name="InFlight">The number of admitted requests that are not answered yet.</param>
/// <param name="Body">The hash of its body.</param>
/// <param name="Send">How many times this body has been sent, with this time.</param>
internal readonly record struct Arrival(TimeSpan Now, int InFlight, BodyHash Body, int Send)
{
    /// <summary>Timestamps are cut to ticks: a client that waits for exactly the requested time is not too early.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMicroseconds(1);
}

/// <summary>Represents what a law says to a request.</summary>
/// <param name="Refused">Whether the law refuses the request.</param>
/// <param name="Wait">How long until the law admits one again; <see langword="null"/> where it does not know.</param>
internal readonly record struct LawDecision(bool Refused, TimeSpan? Wait = null)
{
    public static LawDecision RefuseFor(TimeSpan wait) => new(true, wait);
}
