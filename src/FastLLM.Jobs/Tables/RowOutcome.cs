using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Responses;

namespace FastLLM.Jobs.Tables;

/// <summary>Represents a record as columns of a table. An answer is text, or JSON: a vector or tool calls.</summary>
internal readonly record struct RowOutcome(
    string CustomId,
    string? Text,
    string? Json,
    string? FinishReason,
    string? Error,
    long? PromptTokens,
    long? CompletionTokens,
    string? Cost,
    byte[]? Columns)
{
    /// <summary>Reads records and rows as deep as any answer that the engine accepts.</summary>
    public static readonly JsonReaderOptions JsonOptions = new() { MaxDepth = 4096 };

    /// <inheritdoc cref="JsonOptions"/>
    public static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = 4096 };

    /// <summary>Reads a record.</summary>
    public static RowOutcome Read(ReadOnlyMemory<byte> record)
    {
        using JsonDocument document = JsonDocument.Parse(record, DocumentOptions);
        JsonElement line = document.RootElement;
        JsonElement own = line.Member("fastllm");
        JsonElement response = line.Member("response");
        JsonElement body = response.Member("body");
        JsonElement usage = body.Member("usage");
        JsonElement columns = own.Member("metadata");
        string? error = ErrorOf(line, response, body, own);
        (string? text, string? json, string? reason) = error is null ? AnswerOf(body) : default;
        return new RowOutcome(
            line.Text("custom_id") ?? "",
            text,
            json,
            reason,
            error,
            usage.LargerOf("prompt_tokens", "input_tokens").Whole(),
            usage.LargerOf("completion_tokens", "output_tokens").Whole(),
            NumberOf(own.Member("cost")),
            columns.ValueKind == JsonValueKind.Object ? columns.RawBytes().ToArray() : null);
    }

    private static string? ErrorOf(JsonElement line, JsonElement response, JsonElement body, JsonElement own)
    {
        JsonElement error = line.Member("error");
        JsonElement bodyError = body.Member("error");
        if (IsNothing(error) && IsNothing(bodyError) && response.Whole("status_code") is >= 200 and <= 299)
        {
            return null;
        }

        string? kind = own.Text("failure") ?? error.Text("code") ?? bodyError.Text("type");
        string? message = own.Text("message") ?? error.Text("message") ?? bodyError.Text("message") ?? error.Text();
        return (kind, message) switch
        {
            (null, null) => "failed",
            (_, null) => kind,
            (null, _) => message,
            _ => $"{kind}: {message}",
        };
    }

    private static (string? Text, string? Json, string? Reason) AnswerOf(JsonElement body)
    {
        if (body.Elements("choices").FirstOrDefault() is { ValueKind: JsonValueKind.Object } choice)
        {
            return Cell(AnswerReader.OfChoice(choice), choice.Text("finish_reason"));
        }

        if (body.Member("data").ValueKind == JsonValueKind.Array)
        {
            string[] vectors =
            [
                .. body.Elements("data").Select(item => item.Member("embedding"))
                    .Where(vector => vector.ValueKind != JsonValueKind.Undefined).Select(vector => vector.RawText()),
            ];
            return (null, vectors.Length == 1 ? vectors[0] : $"[{string.Join(',', vectors)}]", null);
        }

        if (AnswerReader.HasOutput(body))
        {
            return Cell(AnswerReader.OfOutput(body), AnswerReader.FinishReasonOfOutput(body) ?? body.Text("status"));
        }

        // The body of another endpoint is the answer as a whole; an empty list of choices is no answer.
        bool isAnswer = body.ValueKind != JsonValueKind.Undefined && body.Member("choices").ValueKind != JsonValueKind.Array;
        return (null, isAnswer ? body.RawText() : null, null);
    }

    // Words, or calls as JSON; a cell with both has the calls on a line below the words.
    private static (string? Text, string? Json, string? Reason) Cell(in Answer answer, string? reason)
    {
        string? words = answer.Words, calls = answer.CallsAsJson;
        if (string.IsNullOrEmpty(words))
        {
            return (calls is null ? words : null, calls, reason);
        }

        return (calls is null ? words : $"{words}\n{calls}", null, reason);
    }

    private static bool IsNothing(JsonElement value) => value.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    private static string? NumberOf(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.RawText() : null;
}
