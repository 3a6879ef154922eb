namespace FastLLM;

/// <summary>The exception that is thrown when a run cannot continue: the account is out of money, the key is refused, the model does not
/// exist, the cache cannot be written …</summary>
/// <remarks>Nothing that was paid is lost: <see cref="Responses"/> holds every answer so far, and what was in flight was waited for. The
/// message says why the run stopped and what to do; the first failure of that kind is the <see cref="Exception.InnerException"/>. With a
/// cache, running the same batch again asks only for what is missing.</remarks>
public sealed class LlmRunException : Exception
{
    internal LlmRunException(string message, LlmException cause, IReadOnlyList<ResponseWrapper> responses)
        : base(message, cause)
    {
        Kind = cause.Kind;
        Responses = responses;
    }

    /// <summary>Gets stage and cause of the failure that stopped the run.</summary>
    public FailureKind Kind { get; }

    /// <summary>Gets one entry for each request, in request order; requests that were never sent are failures of kind
    /// <see cref="FailureKind.NotSent"/>. Empty for a stream, whose finished responses were handed out already.</summary>
    public IReadOnlyList<ResponseWrapper> Responses { get; }
}
