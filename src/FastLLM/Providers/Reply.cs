namespace FastLLM.Providers;

/// <summary>What one attempt brought: a response or a failure. A value, since failures come in storms.</summary>
internal readonly struct Reply<TResponse>
{
    public Reply(TResponse response, Usage? usage)
    {
        Response = response;
        Usage = usage;
    }

    public Reply(LlmException failure) => Failure = failure;

    /// <summary>The response; only there where <see cref="Failure"/> is not.</summary>
    public TResponse? Response { get; }

    /// <summary>The tokens it took, where known.</summary>
    public Usage? Usage { get; }

    /// <summary>Why there is no response.</summary>
    public LlmException? Failure { get; }
}
