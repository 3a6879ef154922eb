using System.Text.Json;

namespace FastLLM.Json;

// Lists: some pieces of them are elements of their own, others belong to one that came before.
internal sealed partial class JsonAccumulator
{
    // What tells an element of a list from the others.
    private long _index;
    private byte[]? _id;
    private byte[]? _type;

    private void AddList(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ReadOnlySpan<byte> name, ref long held)
    {
        if (_shape != Shape.List)
        {
            ToList(ref held);
        }

        bool areParts = name.SequenceEqual("content"u8) || name.SequenceEqual("thinking"u8);
        bool areCalls = name.SequenceEqual("tool_calls"u8);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject && ElementFor(reader, json, areCalls, areParts) is { } element)
            {
                element.AddObject(ref reader, json, ref held);
            }
            else
            {
                AppendElement(ValueOf(ref reader, json), ref held);
            }
        }
    }

    // A text that goes on as a list of parts becomes the first of them.
    private void ToList(ref long held)
    {
        byte[]? said = _shape == Shape.Text && _length > 0 ? _bytes[.._length] : null;
        Clear(Shape.List);
        _elements = [];
        if (said is not null)
        {
            AddTextPart(said, ref held);
        }
    }

    private void AddTextPart(ReadOnlySpan<byte> escaped, ref long held)
    {
        JsonAccumulator part = _elements is [.., { } last] && last.IsOf("\"text\""u8) ? last : NewElement(-1, default, "\"text\""u8);
        part.Member("type"u8).Replace("\"text\""u8, ref held);
        part.Member("text"u8).AddText(escaped, "text"u8, ref held);
    }

    /// <summary>The element that a piece belongs to; <see langword="null"/> where pieces are elements of their own.</summary>
    private JsonAccumulator? ElementFor(Utf8JsonReader reader, ReadOnlySpan<byte> json, bool areCalls, bool areParts)
    {
        long index = -1;
        ReadOnlySpan<byte> id = default, type = default;
        bool beginsCall = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isIndex = reader.TextIs("index"u8), isId = reader.TextIs("id"u8), isType = reader.TextIs("type"u8), isFunction = reader.TextIs("function"u8);
            reader.Read();
            if (isIndex && reader.TryGetWhole(out long told))
            {
                index = told;
            }

            beginsCall |= isFunction && reader.TokenType == JsonTokenType.StartObject && HasName(reader);
            ReadOnlySpan<byte> value = ValueOf(ref reader, json);
            bool isConfigured = value.Length > 2 && value[0] == '"';
            id = isId && isConfigured ? value : id;
            type = isType && isConfigured ? value : type;
        }

        if (areCalls || index >= 0)
        {
            JsonAccumulator element = Known(index, id, areCalls, beginsCall) ?? NewElement(index, id, default);
            element._id ??= id.IsEmpty ? null : id.ToArray();
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

    // Gemini numbers all calls 0 and Ollama none: a call that begins with another id is another call.
    private JsonAccumulator? Known(long index, ReadOnlySpan<byte> id, bool areCalls, bool beginsCall)
    {
        for (int i = _elements!.Count - 1; i >= 0; i--)
        {
            JsonAccumulator element = _elements[i];
            bool isNamedSo = element._id is not null && id.SequenceEqual(element._id);
            bool isSame = index >= 0 ? element._index == index
                : id.IsEmpty ? !beginsCall && i == _elements.Count - 1
                : isNamedSo;
            bool isAnother = areCalls && beginsCall && !id.IsEmpty && element._id is not null && !isNamedSo;
            if (isSame && !isAnother && element._shape == Shape.Object)
            {
                return element;
            }
        }

        return null;
    }

    private bool IsOf(ReadOnlySpan<byte> type) => _type is not null && type.SequenceEqual(_type);

    private JsonAccumulator NewElement(long index, ReadOnlySpan<byte> id, ReadOnlySpan<byte> type)
    {
        ThrowIfTooMany(_elements!.Count);
        var element = new JsonAccumulator
        {
            _shape = Shape.Object,
            _index = index,
            _id = id.IsEmpty ? null : id.ToArray(),
            _type = type.IsEmpty ? null : type.ToArray(),
        };
        _elements.Add(element);
        return element;
    }

    // Elements that are whole stand side by side in one.
    private void AppendElement(ReadOnlySpan<byte> json, ref long held)
    {
        if (_elements is [.., { _shape: Shape.Whole } last])
        {
            last.Append(","u8, ref held);
            last.Append(json, ref held);
            return;
        }

        JsonAccumulator element = NewElement(-1, default, default);
        element._shape = Shape.Whole;
        element.Append(json, ref held);
    }
}
