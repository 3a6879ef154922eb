namespace FastLLM;

/// <summary>Specifies what limits the speed of a run.</summary>
/// <remarks>Later releases may add values; names and numbers of existing ones stay.</remarks>
public enum Bottleneck
{
    /// <summary>Nothing is running.</summary>
    None = 0,

    /// <summary>The configured requests per minute or day, or the rate learned from 429 responses.</summary>
    RequestsPerMinute = 1,

    /// <summary>The configured tokens per minute.</summary>
    TokensPerMinute = 2,

    /// <summary>The number of requests in flight has reached its limit.</summary>
    Concurrency = 3,

    /// <summary>All remaining requests are in flight.</summary>
    ProviderLatency = 4,

    /// <summary>Requests wait after failures, or because the provider asked for a pause.</summary>
    BackOff = 5,

    /// <summary>Requests are not read as fast as they could be sent.</summary>
    Input = 6,

    /// <summary>Outcomes are not consumed or recorded as fast as they arrive.</summary>
    Output = 7,

    /// <summary>The rest of the budget is reserved for requests in flight.</summary>
    Budget = 8,
}
