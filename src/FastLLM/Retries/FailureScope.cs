namespace FastLLM.Retries;

/// <summary>Specifies whether a failure affects one request or the whole run.</summary>
internal enum FailureScope
{
    /// <summary>One request: its row has failed.</summary>
    Request,

    /// <summary>The whole run: it stops, and the row stays pending.</summary>
    Run,
}
