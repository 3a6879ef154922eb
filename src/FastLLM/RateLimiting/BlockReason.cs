namespace FastLLM.RateLimiting;

/// <summary>Specifies why a limiter admits nothing.</summary>
internal enum BlockReason
{
    /// <summary>It admits sends.</summary>
    None,

    /// <summary>The provider asked to wait.</summary>
    Closed,

    /// <summary>The limit of requests in flight is reached.</summary>
    Concurrency,

    /// <summary>The configured requests are used up, or the learned rate is.</summary>
    Requests,

    /// <summary>The configured tokens are used up.</summary>
    Tokens,
}
