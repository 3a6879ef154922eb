using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents the content of a message: text, or parts such as text, images, audio and files.</summary>
/// <remarks>Immutable. A string or a collection expression of <see cref="ContentPart"/> converts to it.</remarks>
[CollectionBuilder(typeof(MessageContent), nameof(FromParts))]
public sealed class MessageContent : IEnumerable<ContentPart>
{
    private readonly string? _text;
    private readonly ContentPart[]? _parts;

    /// <summary>Creates content of one text.</summary>
    /// <param name="text">The text, which may be blank.</param>
    public MessageContent(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _text = text;
    }

    private MessageContent(ContentPart[] parts) => _parts = parts;

    /// <summary>Gets the parts, or <see langword="null"/> for plain text.</summary>
    public IReadOnlyList<ContentPart>? Parts => _parts;

    /// <summary>Converts text to content.</summary>
    /// <param name="text">The text.</param>
    [return: NotNullIfNotNull(nameof(text))]
    public static implicit operator MessageContent?(string? text) => text is null ? null : new MessageContent(text);

    /// <summary>Creates content of parts.</summary>
    /// <param name="parts">The parts, in order.</param>
    public static MessageContent FromParts(ReadOnlySpan<ContentPart> parts) => new(parts.ToArray());

    /// <summary>Creates content of text.</summary>
    /// <param name="text">The text.</param>
    public static MessageContent FromString(string text) => new(text);

    /// <summary>Gets the text, or the joined text parts.</summary>
    public override string ToString() => _text ?? string.Concat(_parts!.Select(part => part.Text));

    /// <inheritdoc/>
    public IEnumerator<ContentPart> GetEnumerator() =>
        (_parts ?? [ContentPart.FromText(_text!)]).AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static MessageContent? FromJson(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        JsonValueKind.String => new MessageContent(JsonText.StringOf(json)),
        JsonValueKind.Array => new MessageContent([.. json.EnumerateArray().Select(ContentPart.FromJson)]),
        _ => throw new JsonException("A message's \"content\" is a text, an array of parts, or null."),
    };

    internal void WriteTo(Utf8JsonWriter writer)
    {
        if (_text is not null)
        {
            writer.WriteText("content"u8, _text);
            return;
        }

        writer.WriteStartArray("content"u8);
        foreach (ContentPart part in _parts!)
        {
            writer.WriteRawValue(part.Json, skipInputValidation: true);
        }

        writer.WriteEndArray();
    }
}
