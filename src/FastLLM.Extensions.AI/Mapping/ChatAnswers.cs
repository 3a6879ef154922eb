using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts responses of a provider to those of Microsoft.Extensions.AI.</summary>
internal static class ChatAnswers
{
    public static ChatResponse ToResponse(in SingleAnswer<ChatCompletion> answer, LlmRequest request)
    {
        ChatCompletion completion = answer.Response;
        var message = new ChatMessage(ChatRole.Assistant, AnswerContents.Of(completion, request))
        {
            MessageId = completion.Id,
            CreatedAt = CreatedAt(completion.Json),
            RawRepresentation = completion,
        };
        return new ChatResponse(message)
        {
            ResponseId = completion.Id,
            ModelId = completion.Model,
            CreatedAt = CreatedAt(completion.Json),
            FinishReason = ToReason(completion.FinishReason),
            Usage = answer.Usage,
            AdditionalProperties = answer.Properties(),
            RawRepresentation = completion,
        };
    }

    /// <summary>Converts a response to one update of a stream.</summary>
    public static ChatResponseUpdate ToUpdate(ChatResponse response)
    {
        ChatMessage message = response.Messages[0];
        return new ChatResponseUpdate(ChatRole.Assistant,
            [.. message.Contents, .. response.Usage is { } usage ? [new UsageContent(usage)] : (AIContent[])[]])
        {
            ResponseId = response.ResponseId,
            MessageId = message.MessageId,
            ModelId = response.ModelId,
            CreatedAt = response.CreatedAt,
            FinishReason = response.FinishReason,
            RawRepresentation = response.RawRepresentation,
            AdditionalProperties = response.AdditionalProperties,
        };
    }

    public static UsageDetails? ToUsage(LlmResponse response)
    {
        if (response.Usage is not { } usage)
        {
            return null;
        }

        JsonElement json = response.Json.Member("usage");
        JsonElement input = json.Member("prompt_tokens_details"), output = json.Member("completion_tokens_details");
        var counts = new AdditionalPropertiesDictionary<long>();
        Count("InputTokenDetails.AudioTokenCount", input, "audio_tokens");
        Count("OutputTokenDetails.AudioTokenCount", output, "audio_tokens");
        Count("OutputTokenDetails.AcceptedPredictionTokenCount", output, "accepted_prediction_tokens");
        Count("OutputTokenDetails.RejectedPredictionTokenCount", output, "rejected_prediction_tokens");
        return new UsageDetails
        {
            InputTokenCount = usage.PromptTokens,
            OutputTokenCount = usage.CompletionTokens,
            TotalTokenCount = usage.TotalTokens,
            CachedInputTokenCount = Known(usage.CachedTokens, input),
            ReasoningTokenCount = Known(usage.ReasoningTokens, output),
            AdditionalCounts = counts.Count > 0 ? counts : null,
        };

        // Without details, it is not known that there were none.
        static long? Known(long count, JsonElement details) => count > 0 || details.ValueKind == JsonValueKind.Object ? count : null;

        void Count(string name, JsonElement details, string member)
        {
            if (details.Whole(member) is { } count)
            {
                counts[name] = count;
            }
        }
    }

    public static ChatFinishReason? ToReason(string? reason) => reason switch
    {
        null or "" => null,
        "function_call" => ChatFinishReason.ToolCalls,
        _ => new ChatFinishReason(reason),
    };

    public static DateTimeOffset? CreatedAt(JsonElement body) =>
        body.Whole("created") is { } seconds and > 0 and < 253_402_300_800 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
}
