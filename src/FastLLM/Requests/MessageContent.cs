using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>What a message says: a text, or parts of text, images, sound and files.</summary>
/// <remarks>Immutable. A string converts to it, and so does a collection expression of <see cref="ContentPart"/>.</remarks>
[CollectionBuilder(typeof(MessageContent), nameof(FromParts))]
public sealed class MessageContent : IEnumerable<ContentPart>
{
    private readonly string? _text;
    private readonly ContentPart[]? _parts;

    /// <summary>Creates content of one text.</summary>
    /// <param name="text">The text; blank is allowed and counts.</param>
    public MessageContent(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _text = text;
    }

    private MessageContent(ContentPart[] parts) => _parts = parts;

    /// <summary>Gets the parts, or <see langword="null"/> for plain text.</summary>
    public IReadOnlyList<ContentPart>? Parts => _parts;

    /// <summary>A text is content.</summary>
    /// <param name="text">The text.</param>
    [return: NotNullIfNotNull(nameof(text))]
    public static implicit operator MessageContent?(string? text) => text is null ? null : new MessageContent(text);

    /// <summary>Creates content of parts.</summary>
    /// <param name="parts">The parts, in their order.</param>
    public static MessageContent FromParts(ReadOnlySpan<ContentPart> parts) => new(parts.ToArray());

    /// <summary>Creates content of a text.</summary>
    /// <param name="text">The text.</param>
    public static MessageContent FromString(string text) => new(text);

    /// <summary>Gets the text: the whole of it, or the text parts put together.</summary>
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
