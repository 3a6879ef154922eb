namespace FastLLM.Retries;

/// <summary>Represents what happens after a failed send.</summary>
/// <param name="Action">What to do.</param>
/// <param name="Delay">How long to wait before the next send.</param>
/// <param name="State">The state of the request from now on.</param>
internal readonly record struct RetryDecision(RetryAction Action, TimeSpan Delay, RetryState State);

/// <summary>Specifies what happens after a failed send.</summary>
internal enum RetryAction
{
    /// <summary>The request has failed.</summary>
    GiveUp,

    /// <summary>Send again after the delay. It counts neither as one of the request's attempts nor against the retry budget.</summary>
    Wait,

    /// <summary>Send once more after the delay; the others show meanwhile whose failure it is. It takes nothing from the retry
    /// budget.</summary>
    Repeat,

    /// <summary>Send again after the delay, as one of the request's attempts, if the retry budget has room.</summary>
    Retry,
}
