using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Responses;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Reads the events of a stream as updates. What is complete only at the end comes with the last one.</summary>
internal sealed class UpdateReader
{
    private bool _hasUpdates;
    private readonly StringBuilder _text = new();
    private bool _hasReasoning;

    /// <summary>Reads an event.</summary>
    /// <returns>The update; <see langword="null"/> for an event that is not of the first choice.</returns>
    public ChatResponseUpdate? Read(byte[] data)
    {
        using JsonDocument document = JsonDocument.Parse(WellFormedJson.Of((ReadOnlyMemory<byte>)data));
        JsonElement chunk = document.RootElement.Clone();
        JsonElement choice = chunk.Elements("choices").FirstOrDefault(choice => choice.Whole("index") is null or 0);
        if (choice.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        _hasUpdates = true;
        JsonElement delta = choice.Member("delta");
        List<AIContent> contents = [];
        if (AnswerReader.ReasoningOf(delta) is { } reasoning)
        {
            _hasReasoning |= reasoning.Length > 0;
            contents.Add(new TextReasoningContent(reasoning));
        }

        if (delta.Member("audio").ValueKind != JsonValueKind.Object && AnswerReader.TextOf(delta) is { } text)
        {
            _text.Append(text);
            contents.Add(new TextContent(text));
        }

        return new ChatResponseUpdate(ChatRole.Assistant, contents)
        {
            ResponseId = chunk.Text("id"),
            MessageId = chunk.Text("id"),
            ModelId = chunk.Text("model"),
            CreatedAt = ChatAnswers.CreatedAt(chunk),
            FinishReason = ChatAnswers.ToReason(choice.Text("finish_reason")),
            RawRepresentation = chunk,
        };
    }

    /// <summary>Gets the last update: what no update had yet.</summary>
    public ChatResponseUpdate Last(in SingleAnswer<ChatCompletion> answer, LlmRequest request)
    {
        ChatResponseUpdate last = ChatAnswers.ToUpdate(ChatAnswers.ToResponse(answer, request));
        if (_hasUpdates)
        {
            string whole = string.Concat(last.Contents.OfType<TextContent>()), said = _text.ToString();
            string rest = said.Length > 0 && whole.StartsWith(said, StringComparison.Ordinal) ? whole[said.Length..] : "";
            AIContent[] first = rest.Length > 0 ? [new TextContent(rest)] : [];
            last.Contents = [.. first, .. last.Contents.Select(Rest).OfType<AIContent>()];
        }

        return last;
    }

    private AIContent? Rest(AIContent content) => content switch
    {
        TextContent { Annotations: { } citations } when _text.Length > 0 => new TextContent("") { Annotations = citations },
        TextContent when _text.Length > 0 => null,
        TextReasoningContent when _hasReasoning => null,
        _ => content,
    };
}
