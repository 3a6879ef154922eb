using FastLLM.Responses;

namespace FastLLM;

/// <summary>Represents a response of an endpoint that is passed through, such as <c>/v1/responses</c>. Read it with
/// <see cref="LlmResponse.Json"/>; the properties here read a response of <c>/v1/responses</c>.</summary>
public sealed class OtherResponse : LlmResponse
{
    internal OtherResponse(ReadOnlyMemory<byte> rawBody)
        : base(rawBody)
    {
    }

    /// <summary>Gets the text of the messages; <see langword="null"/> if there is none.</summary>
    public string? Text => AnswerReader.OfOutput(Json).Text;

    /// <summary>Gets the refusal of the model, if there is one.</summary>
    public string? Refusal => AnswerReader.OfOutput(Json).Refusal;

    /// <summary>Gets why the answer ended early, in the words of chat completions; <see langword="null"/> if it did not.</summary>
    internal string? FinishReason => AnswerReader.FinishReasonOfOutput(Json);

    /// <summary>Gets a finish reason in the words of chat completions.</summary>
    internal static string InWordsOfChat(string reason) => reason == "max_output_tokens" ? "length" : reason;

    /// <summary>Gets the tool calls. Their arguments are untrusted text.</summary>
    public IReadOnlyList<ToolCall> ToolCalls => [.. AnswerReader.CallsOfOutput(Json).Select(AnswerReader.ToToolCall)];
}
