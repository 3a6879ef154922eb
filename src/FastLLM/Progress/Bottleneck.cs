namespace FastLLM;

/// <summary>What keeps a run from being faster at a moment.</summary>
/// <remarks>New factors may be added in later releases; names and numbers of existing ones stay.</remarks>
public enum Bottleneck
{
    /// <summary>Nothing is under way.</summary>
    None = 0,

    /// <summary>The requests a minute (or a day) that were told, or the rate that the provider's refusals taught.</summary>
    RequestsPerMinute = 1,

    /// <summary>The tokens a minute that were told.</summary>
    TokensPerMinute = 2,

    /// <summary>As many are in flight as allowed, and more could be sent.</summary>
    Concurrency = 3,

    /// <summary>All that is left is in flight: the provider takes its time.</summary>
    ProviderLatency = 4,

    /// <summary>Requests wait after failures, or because the provider asked to wait.</summary>
    BackOff = 5,

    /// <summary>Requests do not come as fast as they could be sent.</summary>
    Input = 6,

    /// <summary>Outcomes are not taken, or not recorded, as fast as they come.</summary>
    Output = 7,

    /// <summary>What is left of the budget is set aside for what is in flight.</summary>
    Budget = 8,
}
