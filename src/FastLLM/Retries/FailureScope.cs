namespace FastLLM.Retries;

/// <summary>Whose fault a refusal is.</summary>
internal enum FailureScope
{
    /// <summary>The request's own: its row has failed.</summary>
    Own,

    /// <summary>Not known yet: every answer of the run so far was this one.</summary>
    Suspected,

    /// <summary>Everybody's: the run stops, and the row is left to be asked again.</summary>
    Everybody,
}
