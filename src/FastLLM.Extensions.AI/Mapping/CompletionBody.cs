using System.Text.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Writes a chat client's response as the body of a chat completion.</summary>
internal static class CompletionBody
{
    public static byte[] Write(ChatResponse response, string? requestedModel)
    {
        AIContent[] contents = [.. response.Messages.Where(message => message.Role != ChatRole.User && message.Role != ChatRole.System)
            .SelectMany(message => message.Contents)];
        string text = string.Concat(contents.OfType<TextContent>());
        string reasoning = string.Concat(contents.OfType<TextReasoningContent>().Select(content => content.Text));
        string? refusal = contents.OfType<ErrorContent>().FirstOrDefault(error => error.ErrorCode == ChatMessages.Refusal)?.Message;

        // Calls that the client has answered itself are omitted.
        HashSet<string> answered = [.. contents.OfType<FunctionResultContent>().Select(result => result.CallId)];
        FunctionCallContent[] calls = [.. contents.OfType<FunctionCallContent>()
            .Where(call => !call.InformationalOnly && !answered.Contains(call.CallId))];
        if (text.Length == 0 && calls.Length == 0 && refusal is null && contents.OfType<ErrorContent>().FirstOrDefault() is { } failed)
        {
            throw new LlmException(FailureKind.Provider, $"The chat client answered with an error: {failed.Message}")
            {
                Code = failed.ErrorCode,
            };
        }

        return ValueJson.Build(writer =>
        {
            writer.WriteStartObject();
            WriteText(writer, "id"u8, response.ResponseId);
            writer.WriteString("object"u8, "chat.completion"u8);
            if (response.CreatedAt is { } created)
            {
                writer.WriteNumber("created"u8, created.ToUnixTimeSeconds());
            }

            WriteText(writer, "model"u8, response.ModelId ?? requestedModel);
            writer.WriteStartArray("choices"u8);
            writer.WriteStartObject();
            writer.WriteNumber("index"u8, 0);
            writer.WriteStartObject("message"u8);
            writer.WriteString("role"u8, "assistant"u8);
            writer.WriteString("content"u8, text.Length == 0 && (calls.Length > 0 || refusal is not null) ? null : text);
            WriteText(writer, "reasoning_content"u8, reasoning.Length > 0 ? reasoning : null);
            WriteText(writer, "refusal"u8, refusal);
            WriteCalls(writer, calls);
            writer.WriteEndObject();
            writer.WriteString("finish_reason"u8, response.FinishReason?.Value ?? (calls.Length > 0 ? "tool_calls" : "stop"));
            writer.WriteEndObject();
            writer.WriteEndArray();
            WriteUsage(writer, response.Usage);
            writer.WriteEndObject();
        });
    }

    private static void WriteCalls(Utf8JsonWriter writer, FunctionCallContent[] calls)
    {
        if (calls.Length == 0)
        {
            return;
        }

        writer.WriteStartArray("tool_calls"u8);
        foreach (FunctionCallContent call in calls)
        {
            ValueJson.WriteCall(writer, call);
        }

        writer.WriteEndArray();
    }

    private static void WriteUsage(Utf8JsonWriter writer, UsageDetails? usage)
    {
        if (usage is null)
        {
            return;
        }

        long prompt = usage.InputTokenCount ?? 0, completion = usage.OutputTokenCount ?? 0;
        writer.WriteStartObject("usage"u8);
        writer.WriteNumber("prompt_tokens"u8, prompt);
        writer.WriteNumber("completion_tokens"u8, completion);
        writer.WriteNumber("total_tokens"u8, usage.TotalTokenCount ?? prompt + completion);
        WriteDetail(writer, "prompt_tokens_details"u8, "cached_tokens"u8, usage.CachedInputTokenCount);
        WriteDetail(writer, "completion_tokens_details"u8, "reasoning_tokens"u8, usage.ReasoningTokenCount);
        writer.WriteEndObject();
    }

    private static void WriteDetail(Utf8JsonWriter writer, ReadOnlySpan<byte> details, ReadOnlySpan<byte> name, long? count)
    {
        if (count is { } tokens)
        {
            writer.WriteStartObject(details);
            writer.WriteNumber(name, tokens);
            writer.WriteEndObject();
        }
    }

    private static void WriteText(Utf8JsonWriter writer, ReadOnlySpan<byte> name, string? text)
    {
        if (text is not null)
        {
            writer.WriteString(name, text);
        }
    }
}
