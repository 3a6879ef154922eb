namespace FastLLM.RateLimiting;

/// <summary>Why a limiter lets nobody through at a moment.</summary>
internal enum BlockReason
{
    /// <summary>It does.</summary>
    None,

    /// <summary>The provider asked to wait.</summary>
    Closed,

    /// <summary>As many are in flight as may be.</summary>
    Concurrency,

    /// <summary>The requests that were told are used up, or the learnt rate is.</summary>
    Requests,

    /// <summary>The tokens that were told are used up.</summary>
    Tokens,
}
