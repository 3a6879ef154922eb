namespace FastLLM.Cli;

/// <summary>Extracts what people read from outcomes: the answer, or the failure.</summary>
internal static class OutcomeText
{
    /// <summary>Returns the answer of an outcome: the text, the size of a vector, or the failure.</summary>
    public static string Of(ResponseWrapper<LlmResponse> outcome) => outcome.Error is { } error ? $"{error.Kind}: {error.Message}"
        : outcome.Response switch
        {
            ChatCompletion { Text: { Length: > 0 } text } => text,
            ChatCompletion { Refusal: { } refusal } => $"refused: {refusal}",
            ChatCompletion { ToolCalls: [var call, ..] } => $"calls {call.Function.Name}({call.Function.Arguments})",
            ChatCompletion { FinishReason: { } reason } => $"no text, finish reason {reason}",
            EmbeddingResponse => FormattableString.Invariant(
                $"vector of {(outcome.Embeddings is [var vector, ..] ? vector.Length : 0):N0} numbers"),
            var other => System.Text.Encoding.UTF8.GetString(other.RawBody.Span),
        };
}
