namespace FastLLM.Providers;

/// <summary>Represents the result of one attempt: a response or a failure. A struct, because failures may be very many.</summary>
internal readonly struct Reply<TResponse>
{
    public Reply(TResponse response, Usage? usage)
    {
        Response = response;
        Usage = usage;
        HasResponse = true;
    }

    public Reply(LlmException failure) => Failure = failure;

    /// <summary>Gets whether there is a response. If there is no failure either, nothing was sent.</summary>
    public bool HasResponse { get; }

    /// <summary>Gets the response.</summary>
    public TResponse? Response { get; }

    /// <summary>Gets the token usage, if known.</summary>
    public Usage? Usage { get; }

    /// <summary>Gets why there is no response.</summary>
    public LlmException? Failure { get; }
}
