using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Reads a request's body as chat messages and options. A part that a chat client cannot be given is a failure, never left
/// out.</summary>
internal static class RequestReading
{
    public static (List<ChatMessage> Messages, ChatOptions Options) Read(JsonElement body)
    {
        List<ChatMessage> messages = [];
        var options = new ChatOptions();
        try
        {
            foreach (JsonProperty member in body.EnumerateObject())
            {
                if (member.Value.ValueKind != JsonValueKind.Null)
                {
                    ReadMember(member.Name, member.Value, messages, options);
                }
            }
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or KeyNotFoundException or ArgumentException)
        {
            throw new LlmException(FailureKind.InvalidRequest, $"The request cannot be sent to a chat client: {e.Message}", e);
        }

        return (messages, options);
    }

    private static void ReadMember(string name, JsonElement value, List<ChatMessage> messages, ChatOptions options)
    {
        switch (name)
        {
            case "model":
                options.ModelId = value.GetString();
                break;
            case "messages":
                messages.AddRange(MessageReading.Read(value));
                break;
            case "temperature":
                options.Temperature = value.GetSingle();
                break;
            case "top_p":
                options.TopP = value.GetSingle();
                break;
            case "top_k" when value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int topK):
                options.TopK = topK;
                break;
            case "presence_penalty":
                options.PresencePenalty = value.GetSingle();
                break;
            case "frequency_penalty":
                options.FrequencyPenalty = value.GetSingle();
                break;
            case "max_completion_tokens" or "max_tokens":
                options.MaxOutputTokens = value.GetInt32();
                break;
            case "seed":
                options.Seed = value.GetInt64();
                break;
            case "stop":
                options.StopSequences = value.ValueKind == JsonValueKind.String ? [value.GetString()!]
                    : [.. value.EnumerateArray().Select(text => text.GetString()!)];
                break;
            case "parallel_tool_calls":
                options.AllowMultipleToolCalls = value.GetBoolean();
                break;
            case "response_format":
                ReadFormat(value, options);
                break;
            case "tools":
                options.Tools = [.. value.EnumerateArray().Select(tool => new DeclaredFunction(tool))];
                break;
            case "tool_choice":
                options.ToolMode = ToMode(value);
                break;
            case "reasoning_effort" when EffortOf(value) is { } effort:
                options.Reasoning = new ReasoningOptions { Effort = effort };
                break;
            case "stream" or "stream_options":
                // The response is the same without streaming.
                break;
            default:
                (options.AdditionalProperties ??= [])[name] = value;
                break;
        }
    }

    private static void ReadFormat(JsonElement format, ChatOptions options)
    {
        switch (format.GetProperty("type").GetString())
        {
            case "text":
                options.ResponseFormat = ChatResponseFormat.Text;
                break;
            case "json_object":
                options.ResponseFormat = ChatResponseFormat.Json;
                break;
            case "json_schema":
                JsonElement described = format.GetProperty("json_schema");
                options.ResponseFormat = ChatResponseFormat.ForJsonSchema(
                    described.GetProperty("schema"), described.Text("name"), described.Text("description"));
                if (StrictOf(described) is { } strict)
                {
                    (options.AdditionalProperties ??= [])[ChatTools.StrictSchema] = strict;
                }

                // A client of this library sends the schema as it is, not made stricter.
                options.RawRepresentationFactory = _ => new Dictionary<string, object?> { ["response_format"] = format };

                break;
            case var type:
                throw MessageReading.NotSupported($"response_format of type \"{type}\"");
        }
    }

    private static ChatToolMode ToMode(JsonElement choice) => choice.ValueKind == JsonValueKind.String
        ? choice.GetString() switch
        {
            "none" => ChatToolMode.None,
            "auto" => ChatToolMode.Auto,
            "required" => ChatToolMode.RequireAny,
            var mode => throw MessageReading.NotSupported($"tool_choice \"{mode}\""),
        }
        : choice.TryGetProperty("function", out JsonElement function)
            ? ChatToolMode.RequireSpecific(function.GetProperty("name").GetString()!)
            : throw MessageReading.NotSupported("tool_choice that names no function");

    private static ReasoningEffort? EffortOf(JsonElement value) => value.ValueKind != JsonValueKind.String ? null : value.GetString() switch
    {
        "none" => ReasoningEffort.None,
        "low" => ReasoningEffort.Low,
        "medium" => ReasoningEffort.Medium,
        "high" => ReasoningEffort.High,
        "xhigh" => ReasoningEffort.ExtraHigh,
        _ => null,
    };

    /// <summary>Gets whether a function or a format asks for strictness; <see langword="null"/> if it does not say.</summary>
    public static bool? StrictOf(JsonElement json) =>
        json.TryGetProperty("strict", out JsonElement strict) && strict.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? strict.GetBoolean() : null;
}
