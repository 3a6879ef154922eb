namespace FastLLM.Retries;

/// <summary>What the engine does about a failed attempt.</summary>
internal enum FailureAction
{
    /// <summary>Send again, up to the request's number of attempts.</summary>
    Retry,

    /// <summary>Send again, however often it takes within the time allowed for waits: throttling is no failure of the request.</summary>
    Wait,

    /// <summary>This request has failed; the others continue.</summary>
    FailRow,

    /// <summary>Nothing more can succeed: stop the run.</summary>
    StopRun,

    /// <summary>Send again; when the attempts are used up, stop the run.</summary>
    RetryThenStop,
}
