using System.Runtime.ExceptionServices;

namespace FastLLM.Mapping;

/// <summary>Runs a single request through a manager and throws if it fails.</summary>
internal static class SingleRequest
{
    public static async Task<TExpected> RunAsync<TExpected>(RequestManager<LlmResponse> manager, LlmRequest request,
        CancellationToken cancellationToken)
        where TExpected : LlmResponse
    {
        try
        {
            IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync([request], cancellationToken)
                .ConfigureAwait(false);
            return outcomes[0].Response as TExpected
                ?? throw new LlmException(FailureKind.InvalidResponse,
                    $"The provider answered with a {outcomes[0].Response.GetType().Name}, not a {typeof(TExpected).Name}.");
        }
        catch (LlmRunException e) when (e.InnerException is LlmException cause)
        {
            // For one request, the failure is clearer than the end of a run.
            ExceptionDispatchInfo.Throw(cause);
            throw;
        }
    }
}
