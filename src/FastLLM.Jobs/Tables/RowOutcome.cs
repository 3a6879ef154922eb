using System.Text.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>What a record says, as a person wants it in a table: the answer's text, why it ended, what went wrong, what it took.</summary>
internal readonly struct RowOutcome
{
    /// <summary>How records and rows are read: as deep as any answer that the engine lets through.</summary>
    public static readonly JsonReaderOptions JsonOptions = new() { MaxDepth = 4096 };

    private static readonly JsonDocumentOptions s_documentOptions = new() { MaxDepth = 4096 };

    public string CustomId { get; private init; }

    /// <summary>The answer: a text, or JSON that is written as it is (a vector, calls of tools); neither where there is none.</summary>
    public string? Text { get; private init; }

    /// <inheritdoc cref="Text"/>
    public string? Json { get; private init; }

    public string? FinishReason { get; private init; }

    public string? Error { get; private init; }

    public string? PromptTokens { get; private init; }

    public string? CompletionTokens { get; private init; }

    /// <summary>What it cost, as it stands in the record's member <c>fastllm.cost</c>.</summary>
    public string? Cost { get; private init; }

    /// <summary>The columns that the record carries.</summary>
    public byte[]? Columns { get; private init; }

    /// <summary>Reads a record.</summary>
    public static RowOutcome Read(ReadOnlyMemory<byte> record)
    {
        using JsonDocument document = JsonDocument.Parse(record, s_documentOptions);
        JsonElement line = document.RootElement;
        JsonElement own = Member(line, "fastllm");
        JsonElement response = Member(line, "response");
        JsonElement body = Member(response, "body");
        JsonElement usage = Member(body, "usage");
        string? error = ErrorOf(line, response, body, own);
        (string? text, string? json, string? reason) = error is null ? AnswerOf(body) : default;
        return new RowOutcome
        {
            CustomId = StringOf(line, "custom_id") ?? "",
            Text = text,
            Json = json,
            FinishReason = reason,
            Error = error,
            PromptTokens = NumberOf(usage, "prompt_tokens") ?? NumberOf(usage, "input_tokens"),
            CompletionTokens = NumberOf(usage, "completion_tokens") ?? NumberOf(usage, "output_tokens"),
            Cost = NumberOf(own, "cost"),
            Columns = Member(own, "metadata") is { ValueKind: JsonValueKind.Object } columns ? System.Text.Encoding.UTF8.GetBytes(columns.GetRawText()) : null,
        };
    }

    /// <summary>A JSON string as text. One with half of a surrogate pair is none, and stays as it is written.</summary>
    public static string TextOf(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return value.GetRawText();
        }
    }

    private static string? ErrorOf(JsonElement line, JsonElement response, JsonElement body, JsonElement own)
    {
        JsonElement error = Member(line, "error");
        JsonElement bodyError = Member(body, "error");
        bool isSuccess = error.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined && bodyError.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined
            && Member(response, "status_code") is { ValueKind: JsonValueKind.Number } status && status.TryGetInt32(out int code) && code is >= 200 and <= 299;
        if (isSuccess)
        {
            return null;
        }

        string? kind = StringOf(own, "failure") ?? StringOf(error, "code") ?? StringOf(bodyError, "type");
        string? message = StringOf(own, "message") ?? StringOf(error, "message") ?? StringOf(bodyError, "message")
            ?? (error.ValueKind == JsonValueKind.String ? error.GetString() : null);
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
        if (First(Member(body, "choices")) is { ValueKind: JsonValueKind.Object } choice)
        {
            JsonElement message = Member(choice, "message");
            string? text = StringOf(message, "content") ?? StringOf(choice, "text");
            JsonElement calls = Member(message, "tool_calls");
            bool isCall = string.IsNullOrEmpty(text) && calls.ValueKind == JsonValueKind.Array;
            return (isCall ? null : text ?? StringOf(message, "refusal"), isCall ? calls.GetRawText() : null, StringOf(choice, "finish_reason"));
        }

        JsonElement data = Member(body, "data");
        if (data.ValueKind == JsonValueKind.Array)
        {
            string[] vectors = [.. data.EnumerateArray().Select(item => Member(item, "embedding")).Where(vector => vector.ValueKind != JsonValueKind.Undefined).Select(vector => vector.GetRawText())];
            return (null, vectors.Length == 1 ? vectors[0] : $"[{string.Join(',', vectors)}]", null);
        }

        JsonElement output = Member(body, "output");
        if (output.ValueKind == JsonValueKind.Array)
        {
            IEnumerable<string?> texts = output.EnumerateArray().Select(item => Member(item, "content")).Where(content => content.ValueKind == JsonValueKind.Array)
                .SelectMany(content => content.EnumerateArray()).Where(part => StringOf(part, "type") == "output_text").Select(part => StringOf(part, "text"));
            return (string.Concat(texts), null, StringOf(body, "status"));
        }

        return (null, body.ValueKind == JsonValueKind.Undefined ? null : body.GetRawText(), null);
    }

    private static JsonElement First(JsonElement list) => list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0 ? list[0] : default;

    private static JsonElement Member(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) ? value : default;

    private static string? NumberOf(JsonElement parent, string name) =>
        Member(parent, name) is { ValueKind: JsonValueKind.Number } number ? number.GetRawText() : null;

    private static string? StringOf(JsonElement parent, string name) =>
        Member(parent, name) is { ValueKind: JsonValueKind.String } value ? TextOf(value) : null;
}
