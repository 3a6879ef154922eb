using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Represents the response to a single request.</summary>
/// <param name="Response">The response.</param>
/// <param name="Outcome">How it came about.</param>
internal readonly record struct SingleAnswer<TResponse>(TResponse Response, ResponseWrapper Outcome)
    where TResponse : LlmResponse
{
    /// <summary>Gets a value indicating whether the call used the tokens of the response; another one did if the response was cached or
    /// shared.</summary>
    public bool IsOwn => !Outcome.IsCacheHit && !Outcome.IsShared;

    /// <summary>Gets the usage of the call. Tokens are counted once, by the call that sent the request.</summary>
    public UsageDetails? Usage => IsOwn ? ChatAnswers.ToUsage(Response) : null;

    /// <summary>Gets the properties of the answer.</summary>
    public AdditionalPropertiesDictionary Properties()
    {
        var properties = new AdditionalPropertiesDictionary
        {
            [FastLLMProperties.Cached] = Outcome.IsCacheHit,
            [FastLLMProperties.Shared] = Outcome.IsShared,
            [FastLLMProperties.Sends] = Outcome.Attempts,
        };
        if (Outcome.Cost is { } cost)
        {
            properties[FastLLMProperties.Cost] = cost;
        }

        if (!IsOwn && ChatAnswers.ToUsage(Response) is { } usage)
        {
            properties[FastLLMProperties.Usage] = usage;
        }

        return properties;
    }
}
