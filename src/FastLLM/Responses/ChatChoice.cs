using System.Text.Json;
using FastLLM.Json;
using FastLLM.Responses;

namespace FastLLM;

/// <summary>Represents one choice of a chat completion.</summary>
/// <remarks>Immutable. The text of a model is untrusted.</remarks>
public sealed class ChatChoice
{
    private readonly JsonElement _message;

    internal ChatChoice(JsonElement json)
    {
        Json = json;
        _message = json.Message();
    }

    /// <summary>Gets the choice as received, with fields that have no property here, such as <c>logprobs</c>.</summary>
    public JsonElement Json { get; }

    /// <summary>Gets the index among the choices.</summary>
    public int Index => Json.Whole("index") is { } index and >= 0 and <= int.MaxValue ? (int)index : 0;

    /// <summary>Gets the text, also that of content parts, or the transcript of audio; <see langword="null"/> if the model only calls tools
    /// or refuses.</summary>
    public string? Text => AnswerReader.TextOf(_message) ?? Json.Text("text");

    /// <summary>Gets the reason why the model stopped.</summary>
    public string? FinishReason => Json.Text("finish_reason");

    /// <summary>Gets the refusal of the model, if there is one.</summary>
    public string? Refusal => AnswerReader.RefusalOf(_message);

    /// <summary>Gets the reasoning, if the provider sends it.</summary>
    public string? Reasoning => AnswerReader.ReasoningOf(_message);

    /// <summary>Gets the tool calls, also a legacy function call, which has no id.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => [.. AnswerReader.CallsOf(_message).Select(AnswerReader.ToToolCall)];
}
