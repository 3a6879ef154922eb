namespace FastLLM;

/// <summary>Specifies which requests are streamed. The response is the same: a stream is assembled to the body of a response without
/// streaming.</summary>
public enum StreamMode
{
    /// <summary>Only requests with <c>stream: true</c>. All requests are sent unchanged.</summary>
    AsRequested = 0,

    /// <summary>All completions that do not set it otherwise: members that request a stream are added to the end of the body, so that a
    /// stalled response is detected within seconds, not at the end of its timeout. A model that refuses streams gets no such members any
    /// more. The keys of the requests stay the same.</summary>
    Auto = 1,
}
