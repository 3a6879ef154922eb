using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>One answer of a chat completion.</summary>
/// <remarks>Immutable. What a model said is untrusted text.</remarks>
public sealed class ChatChoice
{
    private readonly JsonElement _message;

    internal ChatChoice(JsonElement json)
    {
        Json = json;
        _message = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("message", out JsonElement message) ? message : default;
    }

    /// <summary>Gets the choice as it came, with fields that have no property here, such as <c>logprobs</c>.</summary>
    public JsonElement Json { get; }

    /// <summary>Gets the place among the answers.</summary>
    public int Index => Json.TryGetProperty("index", out JsonElement index) && index.ValueKind == JsonValueKind.Number && index.TryGetInt32(out int value) ? value : 0;

    /// <summary>Gets the text; <see langword="null"/> where the model only calls tools or refuses.</summary>
    public string? Text => JsonFields.Text(_message, "content") ?? JsonFields.Text(Json, "text");

    /// <summary>Gets why the answer ended.</summary>
    public string? FinishReason => JsonFields.Text(Json, "finish_reason");

    /// <summary>Gets why the model refused, where it did.</summary>
    public string? Refusal => JsonFields.Text(_message, "refusal");

    /// <summary>Gets the reasoning that the provider shows, if it does.</summary>
    public string? Reasoning => JsonFields.Text(_message, "reasoning_content") ?? JsonFields.Text(_message, "reasoning");

    /// <summary>Gets the tools that the model calls.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => JsonFields.Array(_message, "tool_calls").Select(ReadCall).ToArray();

    private static ToolCall ReadCall(JsonElement call)
    {
        JsonElement function = call.ValueKind == JsonValueKind.Object && call.TryGetProperty("function", out JsonElement f) ? f : default;
        return new ToolCall(
            JsonFields.Text(call, "id") ?? "",
            new FunctionCall(JsonFields.Text(function, "name") ?? "", JsonFields.Text(function, "arguments") ?? ""))
        {
            Type = JsonFields.Text(call, "type") ?? "function",
        };
    }
}
