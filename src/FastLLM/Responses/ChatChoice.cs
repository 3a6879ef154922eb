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
        _message = json.Member("message");
    }

    /// <summary>Gets the choice as it came, with fields that have no property here, such as <c>logprobs</c>.</summary>
    public JsonElement Json { get; }

    /// <summary>Gets the place among the answers.</summary>
    public int Index => Json.Whole("index") is { } index and >= 0 and <= int.MaxValue ? (int)index : 0;

    /// <summary>Gets the text; <see langword="null"/> where the model only calls tools or refuses.</summary>
    public string? Text => _message.Text("content") ?? Json.Text("text");

    /// <summary>Gets why the answer ended.</summary>
    public string? FinishReason => Json.Text("finish_reason");

    /// <summary>Gets why the model refused, where it did.</summary>
    public string? Refusal => _message.Text("refusal");

    /// <summary>Gets the reasoning that the provider shows, if it does.</summary>
    public string? Reasoning => _message.Text("reasoning_content") ?? _message.Text("reasoning");

    /// <summary>Gets the tools that the model calls.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => [.. _message.Elements("tool_calls").Select(ReadCall)];

    private static ToolCall ReadCall(JsonElement call)
    {
        JsonElement function = call.Member("function");
        return new ToolCall(call.Text("id") ?? "", new FunctionCall(function.Text("name") ?? "", function.Text("arguments") ?? ""))
        {
            Type = call.Text("type") ?? "function",
        };
    }
}
