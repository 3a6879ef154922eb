using System.Security.Cryptography;
using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts contents of chat messages to the parts that are sent.</summary>
internal static class ContentParts
{
    private const int NameBytes = 16;

    /// <summary>Converts a content.</summary>
    /// <exception cref="NotSupportedException">The protocol has no part for it.</exception>
    public static ContentPart Of(AIContent content) => content switch
    {
        { RawRepresentation: ContentPart part } => part,
        not FunctionCallContent when RawModel.ToJson(content.RawRepresentation) is { } raw && IsPart(raw) => ContentPart.FromJson(raw),
        TextContent text => ContentPart.FromText(text.Text),
        UriContent image when image.HasTopLevelMediaType("image") => ContentPart.FromImage(image.Uri.OriginalString, DetailOf(image)),
        DataContent image when image.HasTopLevelMediaType("image") =>
            ContentPart.FromImage(image.Data.Span, image.MediaType, DetailOf(image)),
        DataContent sound when sound.HasTopLevelMediaType("audio") => ContentPart.FromAudio(sound.Data.Span, SoundFormat(sound.MediaType)),
        DataContent file => File(writer =>
        {
            writer.WriteString("file_data"u8, file.Uri);
            if (NameOf(file) is { } name)
            {
                writer.WriteString("filename"u8, name);
            }
        }),
        HostedFileContent file => File(writer => writer.WriteString("file_id"u8, file.FileId)),
        UriContent other => throw new NotSupportedException(
            $"A {other.MediaType} cannot be sent by its address, only an image can. Load it into a DataContent."),
        _ => throw new NotSupportedException(
            $"A {content.GetType().Name} cannot be sent. Leave it out, "
            + $"or set its RawRepresentation to the ContentPart that is to be sent."),
    };

    // The OpenAI API refuses a PDF without a name. The name follows from the content, so that equal requests stay equal.
    private static string? NameOf(DataContent file) =>
        file.Name is null && file.MediaType.Equals("application/pdf", StringComparison.OrdinalIgnoreCase)
            ? $"{Convert.ToHexStringLower(SHA256.HashData(file.Data.Span).AsSpan(0, NameBytes))}.pdf"
            : file.Name;

    private static bool IsPart(JsonElement json) =>
        json.Text("type") is "text" or "image_url" or "input_audio" or "file" or "refusal";

    private static string? DetailOf(AIContent content) => content.AdditionalProperties?.TryGetValue("detail", out object? detail) == true
        ? detail?.ToString() : null;

    private static string SoundFormat(string mediaType) => mediaType switch
    {
        "audio/mpeg" or "audio/mp3" => "mp3",
        "audio/wave" or "audio/x-wav" or "audio/vnd.wave" => "wav",
        _ => mediaType["audio/".Length..],
    };

    private static ContentPart File(Action<Utf8JsonWriter> write) => ContentPart.FromJson(ValueJson.Element(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "file"u8);
        writer.WriteStartObject("file"u8);
        write(writer);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }));
}
