namespace FastLLM.RateLimiting;

/// <summary>Represents a slot of a limiter from the send until its response is in, and what of the configured limits is reserved for
/// it.</summary>
/// <remarks>A request context keeps one and uses it for one send after the other.</remarks>
internal sealed class RateLease
{
    // A struct that the limiter changes in place: a send must not cost an object.
    public TokenReservation Tokens;

    /// <summary>Gets or sets the limiter.</summary>
    public ModelRateLimiter? Limiter { get; set; }

    /// <summary>Gets or sets the limit headers of the response, if they were read.</summary>
    public LimitHeaders? Headers { get; set; }

    /// <summary>Gets or sets when the lease was given, in seconds on the limiters' clock.</summary>
    public double Since { get; set; }

    /// <summary>Gets or sets what the learning limiter has to remember of the send.</summary>
    public SendMark Mark { get; set; }

    /// <summary>Gets or sets a value indicating whether an earlier send of the request failed.</summary>
    public bool IsRetry { get; set; }

    /// <summary>Gets or sets how long the headers of the response ask to wait, if they were read and do.</summary>
    public TimeSpan? RetryAfter { get; set; }

    /// <summary>Gets or sets a value indicating whether the provider was known to refuse at random only when the send ended.</summary>
    public bool MeetsNoise { get; set; }

    /// <summary>Gets or sets a value indicating whether the finished send failed as it does when a provider is down. Set it before the
    /// lease is returned.</summary>
    public bool MeetsOutage { get; set; }

    /// <summary>Gets or sets a value indicating whether the send probes whether the provider is up again.</summary>
    public bool IsProbe { get; set; }

    /// <summary>Gets or sets a value indicating whether the send ended while the provider was down: then its failure is not the request's
    /// own.</summary>
    public bool WasDown { get; set; }

    /// <summary>Gets or sets what the end of the send changed about the circuit breaker, for the log.</summary>
    public BreakerChange Change { get; set; }
}

/// <summary>Represents the tokens that are reserved for a send.</summary>
internal struct TokenReservation
{
    /// <summary>What the request says about its tokens; only if tokens are limited.</summary>
    public TokenDemand Demand;

    /// <summary>Reserved prompt tokens.</summary>
    public long Input;

    /// <summary>Reserved output tokens.</summary>
    public long Output;

    /// <summary>Tokens that were reserved and not used, once that is known.</summary>
    public long GivenBack;

    public TokenLedger.Entry? OfRequests, OfTokens, OfInput, OfOutput;
}
