using System.Runtime.ExceptionServices;

namespace FastLLM.Mapping;

/// <summary>One request through a manager: a batch of one, whose failure is thrown.</summary>
internal static class SingleRequest
{
    public static async Task<TExpected> RunAsync<TExpected>(RequestManager<LlmResponse> manager, LlmRequest request, CancellationToken cancellationToken)
        where TExpected : LlmResponse
    {
        try
        {
            IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync([request], cancellationToken).ConfigureAwait(false);
            return outcomes[0].Response as TExpected
                ?? throw new LlmException(FailureKind.InvalidResponse, $"The provider answered with a {outcomes[0].Response.GetType().Name}, not a {typeof(TExpected).Name}.");
        }
        catch (LlmRunException e) when (e.InnerException is LlmException cause)
        {
            // There is no run to speak of: who asked one question wants to know what became of it.
            ExceptionDispatchInfo.Throw(cause);
            throw;
        }
    }
}
