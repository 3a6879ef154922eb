using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Represents a list that arrives in pieces: some pieces are elements of their own, others continue an earlier element.</summary>
internal sealed class AccumulatedList
{
    private readonly List<Element> _elements = [];

    /// <summary>Gets the number of elements; elements that arrived whole, side by side, count as one.</summary>
    public int Count => _elements.Count;

    /// <summary>Adds the pieces of a list.</summary>
    /// <param name="reader">Stands at the beginning of the list.</param>
    /// <param name="json">The JSON that it reads.</param>
    /// <param name="name">The name of the list.</param>
    /// <param name="held">Grows by the bytes that are kept.</param>
    public void Add(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ReadOnlySpan<byte> name, ref long held)
    {
        bool areParts = name.SequenceEqual("content"u8) || name.SequenceEqual("thinking"u8);
        bool areCalls = name.SequenceEqual("tool_calls"u8);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject && ElementFor(reader, json, areCalls, areParts) is { } element)
            {
                element.Value.Add(ref reader, json, name, ref held);
            }
            else
            {
                AppendWhole(JsonAccumulator.ValueOf(ref reader, json), ref held);
            }
        }
    }

    /// <summary>Adds text, as a part of a message's content.</summary>
    public void AddText(ReadOnlySpan<byte> escaped, ref long held)
    {
        Element part = _elements is [.., { } last] && last.IsOf("\"text\""u8) ? last : NewElement(-1, default, "\"text\""u8);
        part.Value.Member("type"u8).Replace("\"text\""u8, ref held);
        part.Value.Member("text"u8).AddText(escaped, "text"u8, ref held);
    }

    /// <summary>Writes the list.</summary>
    /// <param name="output">The buffer to write to.</param>
    /// <param name="withoutIndex">Whether to leave out the index, which elements have only in a stream.</param>
    public void WriteTo(ByteBuffer output, bool withoutIndex)
    {
        output.Append((byte)'[');
        foreach (Element element in _elements)
        {
            output.Separate('[');
            element.Value.WriteTo(output, withoutIndex);
        }

        output.Append((byte)']');
    }

    // The element that a piece continues; null if the piece is an element of its own.
    private Element? ElementFor(Utf8JsonReader reader, ReadOnlySpan<byte> json, bool areCalls, bool areParts)
    {
        long index = -1;
        ReadOnlySpan<byte> id = default, type = default;
        bool beginsCall = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isIndex = reader.TextIs("index"u8), isId = reader.TextIs("id"u8), isType = reader.TextIs("type"u8);
            bool isFunction = reader.TextIs("function"u8);
            reader.Read();
            if (isIndex && reader.TryGetWhole(out long number))
            {
                index = number;
            }

            beginsCall |= isFunction && reader.TokenType == JsonTokenType.StartObject && HasName(reader);
            ReadOnlySpan<byte> value = JsonAccumulator.ValueOf(ref reader, json);
            bool hasText = value.Length > 2 && value[0] == '"';
            id = isId && hasText ? value : id;
            type = isType && hasText ? value : type;
        }

        if (areCalls || index >= 0)
        {
            Element element = Known(index, id, areCalls, beginsCall) ?? NewElement(index, id, default);
            element.Id ??= id.IsEmpty ? null : id.ToArray();
            return element;
        }

        if (areParts && !type.IsEmpty)
        {
            return _elements is [.., { } last] && last.IsOf(type) ? last : NewElement(-1, default, type);
        }

        return null;
    }

    private static bool HasName(Utf8JsonReader function)
    {
        while (function.Read() && function.TokenType == JsonTokenType.PropertyName)
        {
            bool isName = function.TextIs("name"u8);
            function.Read();
            if (isName)
            {
                return function.TokenType == JsonTokenType.String && !function.ValueSpan.IsEmpty;
            }

            function.Skip();
        }

        return false;
    }

    // Gemini gives every call the index 0 and Ollama gives none: a call that begins with another id is another call.
    private Element? Known(long index, ReadOnlySpan<byte> id, bool areCalls, bool beginsCall)
    {
        for (int i = _elements.Count - 1; i >= 0; i--)
        {
            Element element = _elements[i];
            bool hasThisId = element.Id is not null && id.SequenceEqual(element.Id);
            bool isSame = index >= 0 ? element.Index == index
                : id.IsEmpty ? !beginsCall && i == _elements.Count - 1
                : hasThisId;
            bool isAnother = areCalls && beginsCall && !id.IsEmpty && element.Id is not null && !hasThisId;
            if (isSame && !isAnother && element.Value.IsObject)
            {
                return element;
            }
        }

        return null;
    }

    private Element NewElement(long index, ReadOnlySpan<byte> id, ReadOnlySpan<byte> type, JsonAccumulator? value = null)
    {
        JsonAccumulator.ThrowIfTooMany(_elements.Count);
        var element = new Element(value ?? JsonAccumulator.NewObject(), index, type.IsEmpty ? null : type.ToArray())
        {
            Id = id.IsEmpty ? null : id.ToArray(),
        };
        _elements.Add(element);
        return element;
    }

    private void AppendWhole(ReadOnlySpan<byte> json, ref long held)
    {
        JsonAccumulator value = _elements is [.., { Value.IsWhole: true } last]
            ? last.Value
            : NewElement(-1, default, default, new JsonAccumulator()).Value;
        value.AppendWhole(json, ref held);
    }

    // Index, id and type tell an element from the others.
    private sealed record Element(JsonAccumulator Value, long Index, byte[]? Type)
    {
        public byte[]? Id { get; set; }

        public bool IsOf(ReadOnlySpan<byte> type) => Type is not null && type.SequenceEqual(Type);
    }
}
