using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents a part of a message: text, an image, audio, a file, or anything else that a provider understands.</summary>
/// <remarks>Immutable. The JSON that the factory created or was given is sent exactly.</remarks>
public sealed class ContentPart
{
    private readonly byte[] _json;

    private ContentPart(string type, string? text, byte[] json)
    {
        Type = type;
        Text = text;
        _json = json;
    }

    /// <summary>Gets the kind of part, such as <c>text</c> or <c>image_url</c>.</summary>
    public string Type { get; }

    /// <summary>Gets the text of a text part; <see langword="null"/> for others.</summary>
    public string? Text { get; }

    /// <summary>Gets the part as UTF-8 JSON.</summary>
    internal ReadOnlySpan<byte> Json => _json;

    /// <summary>Creates a text part.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="ArgumentException">The text has a lone surrogate, which UTF-8 cannot carry.</exception>
    public static ContentPart FromText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new ContentPart("text", text, JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            writer.WriteText("text"u8, text);
            writer.WriteString("type"u8, "text"u8);
            writer.WriteEndObject();
        }));
    }

    /// <summary>Creates an image part from an address that the provider can reach, or from a <c>data:</c> address.</summary>
    /// <param name="url">The address.</param>
    /// <param name="detail"><c>low</c>, <c>high</c>, <c>auto</c>, or <see langword="null"/> for the provider's default.</param>
    public static ContentPart FromImage(string url, string? detail = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(url);
        return new ContentPart("image_url", null, JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartObject("image_url"u8);
            if (detail is not null)
            {
                writer.WriteText("detail"u8, detail);
            }

            writer.WriteText("url"u8, url);
            writer.WriteEndObject();
            writer.WriteString("type"u8, "image_url"u8);
            writer.WriteEndObject();
        }));
    }

    /// <summary>Creates an image part that contains the image.</summary>
    /// <param name="bytes">The file's bytes.</param>
    /// <param name="mediaType">Its media type, such as <c>image/png</c>.</param>
    /// <param name="detail"><c>low</c>, <c>high</c>, <c>auto</c>, or <see langword="null"/> for the provider's default.</param>
    public static ContentPart FromImage(ReadOnlySpan<byte> bytes, string mediaType, string? detail = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(mediaType);
        return FromImage($"data:{mediaType};base64,{Convert.ToBase64String(bytes)}", detail);
    }

    /// <summary>Creates an audio part that contains the audio.</summary>
    /// <param name="bytes">The file's bytes.</param>
    /// <param name="format">Its format, such as <c>wav</c> or <c>mp3</c>.</param>
    public static ContentPart FromAudio(ReadOnlySpan<byte> bytes, string format)
    {
        ArgumentException.ThrowIfNullOrEmpty(format);
        string data = Convert.ToBase64String(bytes);
        return new ContentPart("input_audio", null, JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartObject("input_audio"u8);
            writer.WriteString("data"u8, data);
            writer.WriteText("format"u8, format);
            writer.WriteEndObject();
            writer.WriteString("type"u8, "input_audio"u8);
            writer.WriteEndObject();
        }));
    }

    /// <summary>Creates any part from its JSON object, which is sent unchanged.</summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="JsonException">The text is not a JSON object.</exception>
    public static ContentPart FromJson(string json)
    {
        using JsonDocument document = JsonText.Parse(json);
        return FromJson(document.RootElement);
    }

    /// <inheritdoc cref="FromJson(string)"/>
    public static ContentPart FromJson(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("A content part is a JSON object with a \"type\".");
        }

        string type = JsonText.StringOf(json, "type") ?? "";
        return new ContentPart(type, JsonText.StringOf(json, "text"), JsonText.BytesOf(json));
    }

    /// <inheritdoc/>
    public override string ToString() => Text ?? $"[{Type}]";
}
