namespace FastLLM.RateLimiting;

/// <summary>How the attempt that held a lease ended, as far as the limiter cares.</summary>
internal enum LeaseEnd
{
    /// <summary>Nothing was sent, or nothing arrived: the provider cannot have counted it.</summary>
    NotUsed,

    /// <summary>An answer came, good or bad for the request: the provider keeps up.</summary>
    Answered,

    /// <summary>The provider said that it is too much (429).</summary>
    Throttled,

    /// <summary>The provider said that it cannot at the moment (503, 529): fewer at once may help, but no rate is learned from
    /// it.</summary>
    Overloaded,

    /// <summary>Server error, timeout, lost connection: no sign of room, but none of throttling either.</summary>
    Failed,
}
