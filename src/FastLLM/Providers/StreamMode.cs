namespace FastLLM;

/// <summary>Which requests are answered as streams. What comes back is the same: a stream is put together to the body that would have come without.</summary>
public enum StreamMode
{
    /// <summary>Those that say <c>stream: true</c> themselves. What is sent stays byte for byte what was given.</summary>
    AsRequested = 0,

    /// <summary>
    /// All completions that do not say otherwise: members that ask for a stream are added behind the body's own, so that an answer
    /// that stalls is seen within seconds, not when its whole time is over. A model that refuses is asked without from then on.
    /// The requests' keys stay the same.
    /// </summary>
    Auto = 1,
}
