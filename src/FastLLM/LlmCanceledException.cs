namespace FastLLM;

/// <summary>The exception that is thrown when a batch is canceled. <see cref="Responses"/> has what had finished by then.</summary>
public sealed class LlmCanceledException : OperationCanceledException
{
    internal LlmCanceledException(IReadOnlyList<ResponseWrapper> responses, CancellationToken cancellationToken)
        : base("The batch was canceled; the responses so far are in Responses.", cancellationToken)
    {
        Responses = responses;
    }

    /// <summary>Gets one entry for each request, in request order: finished ones with their response or failure, those in flight as
    /// failures of kind <see cref="FailureKind.Canceled"/>, the others as <see cref="FailureKind.NotSent"/>.</summary>
    public IReadOnlyList<ResponseWrapper> Responses { get; }
}
