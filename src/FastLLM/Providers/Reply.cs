namespace FastLLM.Providers;

/// <summary>What one attempt brought: a response or a failure. A value, since failures come in storms.</summary>
internal readonly struct Reply<TResponse>
{
    public Reply(TResponse response, Usage? usage)
    {
        Response = response;
        Usage = usage;
        HasResponse = true;
    }

    public Reply(LlmException failure) => Failure = failure;

    /// <summary>Whether there is a response. There may be neither that nor a failure: then nothing was sent.</summary>
    public bool HasResponse { get; }

    /// <summary>The response.</summary>
    public TResponse? Response { get; }

    /// <summary>The tokens it took, where known.</summary>
    public Usage? Usage { get; }

    /// <summary>Why there is no response.</summary>
    public LlmException? Failure { get; }
}
