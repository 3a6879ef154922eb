using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts responses of a provider to those of Microsoft.Extensions.AI.</summary>
internal static class ChatAnswers
{
    public static ChatResponse ToResponse(ChatCompletion completion)
    {
        var message = new ChatMessage(ChatRole.Assistant, ContentsOf(completion))
        {
            MessageId = completion.Id,
            RawRepresentation = completion,
        };
        return new ChatResponse(message)
        {
            ResponseId = completion.Id,
            ModelId = completion.Model,
            CreatedAt = CreatedAt(completion),
            FinishReason = ToReason(completion.FinishReason),
            Usage = ToUsage(completion.Usage),
            RawRepresentation = completion,
        };
    }

    /// <summary>Converts a response to the only update of a stream.</summary>
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
        };
    }

    public static UsageDetails? ToUsage(Usage? usage) => usage is null ? null : new UsageDetails
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.TotalTokens,
        CachedInputTokenCount = usage.CachedTokens,
        ReasoningTokenCount = usage.ReasoningTokens,
    };

    private static List<AIContent> ContentsOf(ChatCompletion completion)
    {
        List<AIContent> contents = [];
        if (completion.Reasoning is { Length: > 0 } reasoning)
        {
            contents.Add(new TextReasoningContent(reasoning));
        }

        if (completion.Text is { } text)
        {
            contents.Add(new TextContent(text));
        }

        contents.AddRange(completion.ToolCalls.Select(MessageReading.ToCall));
        if (completion.Refusal is { } refusal)
        {
            contents.Add(new ErrorContent(refusal) { ErrorCode = ChatMessages.Refusal });
        }

        return contents;
    }

    private static ChatFinishReason? ToReason(string? reason) => reason switch
    {
        null or "" => null,
        "function_call" => ChatFinishReason.ToolCalls,
        _ => new ChatFinishReason(reason),
    };

    private static DateTimeOffset? CreatedAt(ChatCompletion completion) =>
        completion.Json.Whole("created") is { } seconds and > 0 and < 253_402_300_800 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
}
