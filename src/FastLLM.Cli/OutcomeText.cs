using System.Text.Json;

namespace FastLLM.Cli;

/// <summary>Extracts what people read from outcomes: the answer, or the failure.</summary>
internal static class OutcomeText
{
    /// <summary>Returns the answer of an outcome: the text, the size of a vector, or the failure.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="hasFields">Whether answers have a form, so that their fields are shown rather than their JSON.</param>
    public static string Of(ResponseWrapper<LlmResponse> outcome, bool hasFields) =>
        outcome.Error is { } error ? $"{error.Kind}: {error.Message}"
        : outcome.Response switch
        {
            ChatCompletion { Text: { Length: > 0 } text } => hasFields ? Fields(text) : text,
            OtherResponse { Text: { Length: > 0 } text } => hasFields ? Fields(text) : text,
            ChatCompletion { Refusal: { } refusal } => $"refused: {refusal}",
            ChatCompletion { ToolCalls: [var call, ..] } => $"calls {call.Function.Name}({call.Function.Arguments})",
            ChatCompletion { FinishReason: { } reason } => $"no text, finish reason {reason}",
            EmbeddingResponse => FormattableString.Invariant(
                $"vector of {(outcome.Embeddings is [var vector, ..] ? vector.Length : 0):N0} numbers"),
            var other => System.Text.Encoding.UTF8.GetString(other.RawBody.Span),
        };

    // The only field, such as a label, needs no name.
    private static string Fields(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind != JsonValueKind.Object ? json
                : document.RootElement.EnumerateObject().ToArray() is [var only] ? only.Value.ToString()
                : string.Join(" · ", document.RootElement.EnumerateObject().Select(field => $"{field.Name}: {field.Value}"));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return json; // text, a code block, or half of a surrogate pair
        }
    }
}
