namespace FastLLM;

/// <summary>The caller cancelled a batch; what was finished by then is in <see cref="Responses"/>.</summary>
public sealed class LlmCanceledException : OperationCanceledException
{
    internal LlmCanceledException(IReadOnlyList<ResponseWrapper> responses, CancellationToken cancellationToken)
        : base("The batch was cancelled; the responses so far are in Responses.", cancellationToken)
    {
        Responses = responses;
    }

    /// <summary>Gets one entry for each request, in request order: finished ones with their response or failure, those in flight as
    /// failures of kind <see cref="FailureKind.Canceled"/>, the others as <see cref="FailureKind.NotSent"/>.</summary>
    public IReadOnlyList<ResponseWrapper> Responses { get; }
}
