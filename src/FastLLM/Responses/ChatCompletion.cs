using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents a chat completion, or a text completion of the older endpoint.</summary>
public sealed class ChatCompletion : LlmResponse
{
    private IReadOnlyList<ChatChoice>? _choices;

    internal ChatCompletion(ReadOnlyMemory<byte> rawBody)
        : base(rawBody)
    {
    }

    /// <summary>Gets the choices; there are several if the request set <c>n</c>.</summary>
    public IReadOnlyList<ChatChoice> Choices => _choices ??= [.. Json.Elements("choices").Select(choice => new ChatChoice(choice))];

    /// <summary>Gets the text of the first choice; <see langword="null"/> if the model only calls tools or refuses.</summary>
    public string? Text => _choices is null && ChoiceText.Read(RawBody.Span) is { Length: > 0 } text ? text : First?.Text;

    /// <summary>Gets the finish reason of the first choice: <c>stop</c>, <c>length</c>, <c>tool_calls</c>, <c>content_filter</c>, or a
    /// provider's own.</summary>
    public string? FinishReason => (_choices is null ? ChoiceText.ReadFinishReason(RawBody.Span) : null) ?? First?.FinishReason;

    /// <summary>Gets the tool calls of the first choice. Their arguments are untrusted text.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => First?.ToolCalls ?? [];

    /// <summary>Gets the refusal of the model, if there is one.</summary>
    public string? Refusal => First?.Refusal;

    /// <summary>Gets the reasoning (<c>reasoning_content</c>, <c>reasoning</c>), if the provider sends it.</summary>
    public string? Reasoning => First?.Reasoning;

    private ChatChoice? First => Choices.Count > 0 ? Choices[0] : null;
}
