using FastLLM.Json;
using FastLLM.Providers;

namespace FastLLM;

/// <summary>A chat completion (or a text completion of the older endpoint).</summary>
public sealed class ChatCompletion : LlmResponse
{
    private IReadOnlyList<ChatChoice>? _choices;

    internal ChatCompletion(ReadOnlyMemory<byte> rawBody)
        : base(rawBody)
    {
    }

    /// <summary>Gets the answers; there are several where the request asked for <c>n</c>.</summary>
    public IReadOnlyList<ChatChoice> Choices => _choices ??= [.. Json.Elements("choices").Select(choice => new ChatChoice(choice))];

    /// <summary>Gets the text of the first answer; <see langword="null"/> where the model only calls tools or refuses.</summary>
    public string? Text => (_choices is null ? ChoiceText.Read(RawBody.Span) : null) ?? First?.Text;

    /// <summary>Gets why the first answer ended: <c>stop</c>, <c>length</c>, <c>tool_calls</c>, <c>content_filter</c>, or a word of the provider's own.</summary>
    public string? FinishReason => (_choices is null ? ChoiceText.ReadFinishReason(RawBody.Span) : null) ?? First?.FinishReason;

    /// <summary>Gets the tools that the first answer calls. Their arguments are untrusted text.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => First?.ToolCalls ?? [];

    /// <summary>Gets why the model refused, where it did.</summary>
    public string? Refusal => First?.Refusal;

    /// <summary>Gets the reasoning that the provider shows (<c>reasoning_content</c>, <c>reasoning</c>), if it does.</summary>
    public string? Reasoning => First?.Reasoning;

    private ChatChoice? First => Choices.Count > 0 ? Choices[0] : null;
}
