namespace FastLLM.Admission;

/// <summary>How the attempt that held a lease ended, as far as the gate cares.</summary>
internal enum LeaseEnd
{
    /// <summary>Nothing was sent.</summary>
    NotUsed,

    /// <summary>An answer came, good or bad for the request: the provider keeps up.</summary>
    Answered,

    /// <summary>The provider said that it is too much.</summary>
    Throttled,

    /// <summary>Server error, timeout, lost connection: no sign of room, but none of throttling either.</summary>
    Failed,
}
