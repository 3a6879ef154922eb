using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Reads the contents of a completion's first choice.</summary>
internal static class AnswerContents
{
    public static List<AIContent> Of(ChatCompletion completion, LlmRequest request)
    {
        List<AIContent> contents = [];
        if (completion.Reasoning is { Length: > 0 } reasoning)
        {
            contents.Add(new TextReasoningContent(reasoning));
        }

        JsonElement message = completion.Choices is [{ } choice, ..] ? choice.Json.Member("message") : default;
        bool speaks = message.Member("audio").Text("data") is not null;
        if (message.Member("content").ValueKind == JsonValueKind.Array)
        {
            contents.AddRange(message.Elements("content").Select(ToText).OfType<TextContent>());
        }
        else if (!speaks || message.Text("content") is { Length: > 0 })
        {
            // Without its sound, the transcript is the text.
            contents.AddRange(completion.Text is { } text ? [new TextContent(text)] : []);
        }

        if (speaks)
        {
            contents.Add(ToSound(message.Member("audio"), request));
        }

        contents.AddRange(completion.ToolCalls.Select(MessageReading.ToCall));
        if (completion.Refusal is { } refusal)
        {
            contents.Add(new ErrorContent(refusal) { ErrorCode = ChatMessages.Refusal });
        }

        Annotate(contents, message);
        return contents;
    }

    private static TextContent? ToText(JsonElement part) => part.Text("type") is "thinking" or "reasoning" or "refusal" ? null
        : (part.Text() ?? part.Text("text")) is { } text ? new TextContent(text) : null;

    private static DataContent ToSound(JsonElement audio, LlmRequest request)
    {
        string? format = request.AdditionalParameters?.TryGetValue("audio", out JsonElement options) == true
            ? options.Text("format") : null;
        var sound = new DataContent(Convert.FromBase64String(audio.Text("data")!), format switch
        {
            null or "mp3" => "audio/mpeg",
            "pcm16" => "audio/pcm",
            _ => $"audio/{format}",
        });
        foreach (string name in (string[])["id", "transcript"])
        {
            if (audio.Text(name) is { } value)
            {
                (sound.AdditionalProperties ??= [])[name] = value;
            }
        }

        return sound;
    }

    // The places are those of the whole text: the first text has them, or an empty one.
    private static void Annotate(List<AIContent> contents, JsonElement message)
    {
        List<AIAnnotation> citations = [.. message.Elements("annotations").Select(ToCitation).OfType<AIAnnotation>()];
        if (citations.Count == 0)
        {
            return;
        }

        TextContent? first = contents.OfType<TextContent>().FirstOrDefault();
        if (first is null)
        {
            contents.Add(first = new TextContent(null));
        }

        first.Annotations = citations;
    }

    private static CitationAnnotation? ToCitation(JsonElement annotation)
    {
        JsonElement cited = annotation.Member("url_citation");
        if (cited.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        return new CitationAnnotation
        {
            Title = cited.Text("title"),
            Url = Uri.TryCreate(cited.Text("url"), UriKind.RelativeOrAbsolute, out Uri? url) ? url : null,
            RawRepresentation = annotation,
            AnnotatedRegions = cited.Whole("start_index") is not { } start || cited.Whole("end_index") is not { } end ? null
                : [new TextSpanAnnotatedRegion { StartIndex = (int)start, EndIndex = (int)end }],
        };
    }
}
