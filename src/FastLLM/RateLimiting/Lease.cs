using FastLLM.Pipeline;

namespace FastLLM.RateLimiting;

/// <summary>The right to be in flight, from the send until the answer is in; and what was set aside for it. A worker keeps one and uses it again.</summary>
internal sealed class Lease
{
    /// <summary>The limiter that it is of.</summary>
    public ModelRateLimiter? Limiter { get; set; }

    /// <summary>What the request says about its tokens; only where tokens are limited.</summary>
    public TokenDemand TokenDemand { get; set; }

    /// <summary>Prompt tokens that are set aside.</summary>
    public long Input { get; set; }

    /// <summary>Answer tokens that are set aside.</summary>
    public long Output { get; set; }

    /// <summary>Tokens that were set aside and not taken, once that is known.</summary>
    public long GivenBack { get; set; }

    public TokenLedger.Entry? OfTokens { get; set; }

    public TokenLedger.Entry? OfInput { get; set; }

    public TokenLedger.Entry? OfOutput { get; set; }

    /// <summary>What the headers of the answer say, where they were looked at.</summary>
    public LimitHeaders? Headers { get; set; }

    /// <summary>When it was given, on the limiters' clock.</summary>
    public double Since { get; set; }

    /// <summary>Whether the send that is over met what a provider does that is down. To be set before the lease goes back.</summary>
    public bool MeetsOutage { get; set; }

    /// <summary>Whether it finds out if the provider is up again.</summary>
    public bool IsProbe { get; set; }

    /// <summary>Whether it was over while the provider was taken to be down: then the failure is the outage's, not the request's.</summary>
    public bool WasDown { get; set; }

    /// <summary>What the end of the send has changed about the breaker, for the log.</summary>
    public BreakerChange Change { get; set; }
}
