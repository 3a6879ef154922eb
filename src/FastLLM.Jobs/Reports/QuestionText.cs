using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>Extracts what people read from a request: the instructions and the question.</summary>
internal static class QuestionText
{
    private static readonly JsonDocumentOptions s_depth = new() { MaxDepth = 4096 };

    /// <summary>Returns the system message of a request, and its question: the last message, the prompt, or the text to embed.</summary>
    public static (string? System, string Question) Of(LlmRequest request)
    {
        using JsonDocument body = JsonDocument.Parse(request.Body, s_depth);
        JsonElement root = body.RootElement;
        string? system = root.Text("instructions");
        JsonElement last = default;
        foreach (JsonElement message in root.Elements("messages"))
        {
            last = message;
            if (system is null && message.Text("role") is "system" or "developer")
            {
                system = TextOf(message.Member("content"));
            }
        }

        JsonElement question = last.ValueKind == JsonValueKind.Object ? last.Member("content")
            : root.Member("prompt") is { ValueKind: not JsonValueKind.Undefined } prompt ? prompt : root.Member("input");
        return (system, question.ValueKind == JsonValueKind.Undefined ? root.RawText() : TextOf(question));
    }

    private static string TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => string.Join(' ', value.EnumerateArray().Select(PartOf).Where(static part => part.Length > 0)),
        JsonValueKind.String => value.Text()!,
        _ => value.RawText(),
    };

    private static string PartOf(JsonElement part) => part.ValueKind != JsonValueKind.Object ? TextOf(part)
        : part.Text("text") ?? (part.Member("content") is { ValueKind: not JsonValueKind.Undefined } content ? TextOf(content)
            : part.Text("type") is { } type ? $"[{type}]" : "");
}
