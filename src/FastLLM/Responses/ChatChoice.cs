using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents one choice of a chat completion.</summary>
/// <remarks>Immutable. The text of a model is untrusted.</remarks>
public sealed class ChatChoice
{
    private readonly JsonElement _message;

    internal ChatChoice(JsonElement json)
    {
        Json = json;
        _message = json.Member("message");
    }

    /// <summary>Gets the choice as received, with fields that have no property here, such as <c>logprobs</c>.</summary>
    public JsonElement Json { get; }

    /// <summary>Gets the index among the choices.</summary>
    public int Index => Json.Whole("index") is { } index and >= 0 and <= int.MaxValue ? (int)index : 0;

    /// <summary>Gets the text; <see langword="null"/> if the model only calls tools or refuses.</summary>
    public string? Text => _message.Text("content") ?? Json.Text("text");

    /// <summary>Gets the reason why the model stopped.</summary>
    public string? FinishReason => Json.Text("finish_reason");

    /// <summary>Gets the refusal of the model, if there is one.</summary>
    public string? Refusal => _message.Text("refusal");

    /// <summary>Gets the reasoning, if the provider sends it.</summary>
    public string? Reasoning => _message.Text("reasoning_content") ?? _message.Text("reasoning");

    /// <summary>Gets the tool calls.</summary>
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
