using FastLLM.Json;

namespace FastLLM.Checks;

/// <summary>Reads responses of <c>/v1/responses</c> as a check needs them.</summary>
internal static class OtherResponses
{
    /// <summary>Gets why the answer ended, in the words of chat completions.</summary>
    public static string? FinishReason(OtherResponse response) => response.Json.Member("incomplete_details").Text("reason") switch
    {
        "max_output_tokens" => "length",
        var reason => reason,
    };
}
