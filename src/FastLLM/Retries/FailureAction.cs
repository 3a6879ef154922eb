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

    /// <summary>This request has failed. If no other is answered any more, stop the run.</summary>
    FailOrStop,

    /// <summary>Send once more, after other requests had time to show whose failure it is; then as <see cref="FailOrStop"/>.</summary>
    RepeatThenFailOrStop,

    /// <summary>Send again, up to the request's number of attempts; then as <see cref="FailOrStop"/>.</summary>
    RetryThenFailOrStop,

    /// <summary>Nothing more can succeed: stop the run.</summary>
    StopRun,
}
