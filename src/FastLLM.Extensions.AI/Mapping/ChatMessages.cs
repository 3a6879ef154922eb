using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts chat messages to the messages that are sent.</summary>
internal static class ChatMessages
{
    /// <summary>The code of an <see cref="ErrorContent"/> that holds a model's refusal.</summary>
    public const string Refusal = "Refusal";

    public static List<Message> ToMessages(IEnumerable<ChatMessage> messages, string? instructions)
    {
        List<Message> all = [];
        if (!string.IsNullOrEmpty(instructions))
        {
            all.Add(Message.System(instructions));
        }

        foreach (ChatMessage message in messages)
        {
            ArgumentNullException.ThrowIfNull(message, nameof(messages));
            Add(message, all);
        }

        return all;
    }

    /// <summary>
    /// Gets the arguments of a call: the model's own text if it still has the same values, because the provider's prompt cache and the
    /// request key depend on it.
    /// </summary>
    public static string ArgumentsOf(FunctionCallContent call)
    {
        if (call.RawRepresentation is ToolCall { Function.Arguments: var said }
            && (call.Exception is not null || Says(said, call.Arguments)))
        {
            return said;
        }

        return ValueJson.Write(call.Arguments);
    }

    // One chat message may have the results of several calls; in a request each result is a message.
    private static void Add(ChatMessage message, List<Message> all)
    {
        List<ContentPart> parts = [];
        List<ToolCall> calls = [];
        string? refusal = null;
        var answers = 0;
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case FunctionCallContent { InformationalOnly: true }:
                    break;
                case FunctionCallContent call:
                    calls.Add(ToToolCall(call));
                    break;
                case FunctionResultContent result:
                    all.Add(Message.Tool(result.CallId, TextOf(result)));
                    answers++;
                    break;
                case ErrorContent { ErrorCode: Refusal } error:
                    refusal = error.Message;
                    break;
                case TextReasoningContent or UsageContent:
                    // Reasoning and usage are not sent back: APIs refuse them or bill them again.
                    break;
                default:
                    parts.Add(ToPart(content));
                    break;
            }
        }

        if (answers > 0 && parts.Count == 0 && calls.Count == 0)
        {
            return;
        }

        bool isAssistant = message.Role == ChatRole.Assistant;
        all.Add(new Message(message.Role.Value, ToContent(message, parts, isAssistant))
        {
            Name = message.Role == ChatRole.Tool || string.IsNullOrWhiteSpace(message.AuthorName) ? null : message.AuthorName,
            ToolCalls = calls.Count > 0 ? calls : null,
            AdditionalProperties = refusal is null
                ? null
                : new Dictionary<string, JsonElement> { ["refusal"] = Element(writer => writer.WriteStringValue(refusal)) },
        });
    }

    private static MessageContent? ToContent(ChatMessage message, List<ContentPart> parts, bool isAssistant) => message.Contents switch
    {
        _ when parts.Count == 0 => isAssistant ? null : "",
        _ when parts is [{ Text: { } text, Type: "text" }]
            && !message.Contents.Any(content => content.RawRepresentation is ContentPart) => text,
        _ => MessageContent.FromParts([.. parts]),
    };

    private static ContentPart ToPart(AIContent content) => content switch
    {
        { RawRepresentation: ContentPart part } => part,
        TextContent text => ContentPart.FromText(text.Text),
        UriContent image when image.HasTopLevelMediaType("image") => ContentPart.FromImage(image.Uri.OriginalString, DetailOf(image)),
        DataContent image when image.HasTopLevelMediaType("image") =>
            ContentPart.FromImage(image.Data.Span, image.MediaType, DetailOf(image)),
        DataContent sound when sound.HasTopLevelMediaType("audio") => ContentPart.FromAudio(sound.Data.Span, SoundFormat(sound.MediaType)),
        DataContent file => File(writer =>
        {
            writer.WriteString("file_data"u8, file.Uri);
            if (file.Name is not null)
            {
                writer.WriteString("filename"u8, file.Name);
            }
        }),
        HostedFileContent file => File(writer => writer.WriteString("file_id"u8, file.FileId)),
        UriContent other => throw new NotSupportedException(
            $"A {other.MediaType} cannot be sent by its address, only an image can. Load it into a DataContent."),
        _ => throw new NotSupportedException(
            $"A {content.GetType().Name} cannot be sent. Leave it out, "
            + $"or set its RawRepresentation to the ContentPart that is to be sent."),
    };

    private static ToolCall ToToolCall(FunctionCallContent call) => new(call.CallId, new FunctionCall(call.Name, ArgumentsOf(call)));

    private static bool Says(string said, IDictionary<string, object?>? arguments)
    {
        try
        {
            return said.Length > 0 && ValueJson.Write(ValueJson.ReadMembers(said)) == ValueJson.Write(arguments);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string TextOf(FunctionResultContent result) => result.Result switch
    {
        null => result.Exception is { } error ? $"Error: {error.Message}" : "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.Text()!,
        TextContent text => text.Text,
        IEnumerable<AIContent> contents when contents.All(content => content is TextContent) => string.Concat(contents),
        var value => ValueJson.Write(value),
    };

    private static string? DetailOf(AIContent content) => content.AdditionalProperties?.TryGetValue("detail", out object? detail) == true
        ? detail?.ToString() : null;

    private static string SoundFormat(string mediaType) => mediaType switch
    {
        "audio/mpeg" or "audio/mp3" => "mp3",
        "audio/wave" or "audio/x-wav" or "audio/vnd.wave" => "wav",
        _ => mediaType["audio/".Length..],
    };

    private static ContentPart File(Action<Utf8JsonWriter> write) => ContentPart.FromJson(Element(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "file"u8);
        writer.WriteStartObject("file"u8);
        write(writer);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }));

    private static JsonElement Element(Action<Utf8JsonWriter> write)
    {
        using JsonDocument document = JsonDocument.Parse(ValueJson.Build(write));
        return document.RootElement.Clone();
    }
}
