using System.Text.Json;
using FastLLM.Keys;

namespace FastLLM.Providers;

/// <summary>A JSON value that comes in pieces: texts grow at their end, objects by their members, lists by their elements.</summary>
/// <remarks>
/// Texts stay as they are escaped, so that nothing is decoded: two escaped texts one after the other are one, also where a
/// character beyond the basic plane was cut between them.
/// </remarks>
internal sealed class JsonPieces
{
    /// <summary>More members, or elements that are told apart, are no answer but an attack.</summary>
    private const int MostParts = 1000;

    private Shape _shape;
    private byte[] _bytes = [];
    private int _length;
    private List<(byte[] Name, JsonPieces Value)>? _members;
    private List<JsonPieces>? _elements;

    // What tells an element of a list from the others.
    private long _index;
    private byte[]? _id;
    private byte[]? _type;

    private enum Shape : byte
    {
        None,
        Null,
        Text,
        Whole,
        Object,
        List,
    }

    /// <summary>Whether it is a text, or a list, that is not empty.</summary>
    public bool HasContent => _shape is Shape.Text && _length > 0 || _shape is Shape.List && _elements!.Count > 0 || _shape is Shape.Object;

    /// <summary>Whether it is a text without a character.</summary>
    public bool IsEmptyText => _shape is Shape.Text && _length == 0;

    /// <summary>Whether it is a whole object.</summary>
    public bool IsWholeObject => _shape is Shape.Whole && _bytes[0] == '{';

    /// <summary>Whether it is this value, as it is written.</summary>
    public bool Is(ReadOnlySpan<byte> json) => _shape is Shape.Whole && json.SequenceEqual(_bytes.AsSpan(0, _length));

    /// <summary>The members of an object, in the order in which they came.</summary>
    public IReadOnlyList<(byte[] Name, JsonPieces Value)> Members => _members is null ? [] : _members;

    /// <summary>The elements of a list that are told apart; one of them may be several that are not.</summary>
    public IReadOnlyList<JsonPieces> Elements => _elements is null ? [] : _elements;

    /// <summary>The member of that name; made where there is none.</summary>
    public JsonPieces Member(ReadOnlySpan<byte> name)
    {
        _shape = Shape.Object;
        _members ??= [];
        foreach ((byte[] known, JsonPieces value) in _members)
        {
            if (name.SequenceEqual(known))
            {
                return value;
            }
        }

        ThrowIfTooMany(_members.Count);
        var made = new JsonPieces();
        _members.Add((name.ToArray(), made));
        return made;
    }

    /// <summary>The member of that name, if there is one.</summary>
    public JsonPieces? Find(ReadOnlySpan<byte> name)
    {
        foreach ((byte[] known, JsonPieces value) in Members)
        {
            if (name.SequenceEqual(known))
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>Puts a value in the place of what was there, unless it says nothing: null, an empty text, 0.</summary>
    public void Replace(ReadOnlySpan<byte> json, ref long held)
    {
        if (_shape == Shape.None || (json is not [(byte)'0'] && !json.SequenceEqual("null"u8) && !json.SequenceEqual("\"\""u8)))
        {
            if (_shape != Shape.Whole || !json.SequenceEqual(_bytes.AsSpan(0, _length)))
            {
                Clear(Shape.Whole);
                Append(json, ref held);
            }
        }
    }

    /// <summary>Adds the value at which the reader stands, to its end.</summary>
    /// <param name="reader">Stands at the value's first token.</param>
    /// <param name="json">What it reads.</param>
    /// <param name="name">The member's name that the value stands under.</param>
    /// <param name="held">Grows by the bytes that are kept.</param>
    public void Add(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ReadOnlySpan<byte> name, ref long held)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                _shape = _shape == Shape.None ? Shape.Null : _shape;
                break;
            case JsonTokenType.String:
                AddText(reader.ValueSpan, name, ref held);
                break;
            case JsonTokenType.StartObject:
                AddObject(ref reader, json, ref held);
                break;
            case JsonTokenType.StartArray:
                AddList(ref reader, json, name, ref held);
                break;
            default:
                Clear(Shape.Whole);
                Append(reader.ValueSpan, ref held);
                break;
        }
    }

    /// <summary>Writes the value.</summary>
    public void WriteTo(ByteBuffer output, bool withoutIndex = false)
    {
        switch (_shape)
        {
            case Shape.Text:
                output.Append((byte)'"');
                output.Append(_bytes.AsSpan(0, _length));
                output.Append((byte)'"');
                break;
            case Shape.Whole:
                output.Append(_bytes.AsSpan(0, _length));
                break;
            case Shape.Object:
                WriteMembers(output, withoutIndex);
                break;
            case Shape.List:
                WriteElements(output, withoutIndex: false);
                break;
            default:
                output.Append("null"u8);
                break;
        }
    }

    /// <summary>Writes a list whose elements have an index only on their way.</summary>
    public void WriteElements(ByteBuffer output, bool withoutIndex)
    {
        output.Append((byte)'[');
        foreach (JsonPieces element in Elements)
        {
            Separate(output, '[');
            element.WriteTo(output, withoutIndex);
        }

        output.Append((byte)']');
    }

    /// <summary>Writes a comma unless something has just been opened.</summary>
    public static void Separate(ByteBuffer output, char opened)
    {
        if (output.Last != opened)
        {
            output.Append((byte)',');
        }
    }

    /// <summary>Writes a member's name.</summary>
    public static void WriteName(ByteBuffer output, ReadOnlySpan<byte> name)
    {
        Separate(output, '{');
        output.Append((byte)'"');
        output.Append(name);
        output.Append("\":"u8);
    }

    /// <summary>The bytes of the value at which the reader stands; it goes on to the value's end.</summary>
    public static ReadOnlySpan<byte> ValueOf(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[start..(int)reader.BytesConsumed];
    }

    private void WriteMembers(ByteBuffer output, bool withoutIndex)
    {
        output.Append((byte)'{');
        foreach ((byte[] name, JsonPieces value) in Members)
        {
            if (!withoutIndex || !name.AsSpan().SequenceEqual("index"u8))
            {
                WriteName(output, name);
                value.WriteTo(output);
            }
        }

        output.Append((byte)'}');
    }

    private void AddText(ReadOnlySpan<byte> escaped, ReadOnlySpan<byte> name, ref long held)
    {
        if (_shape == Shape.List && _elements!.Count > 0)
        {
            // A list of parts that goes on as a plain text.
            if (!escaped.IsEmpty)
            {
                AddTextPart(escaped, ref held);
            }

            return;
        }

        if (_shape == Shape.Text && _length > 0 && IsLabel(name))
        {
            if (escaped.IsEmpty || escaped.SequenceEqual(_bytes.AsSpan(0, _length)))
            {
                return;
            }

            _length = name.SequenceEqual("name"u8) ? _length : 0;
        }

        if (_shape != Shape.Text)
        {
            Clear(Shape.Text);
        }

        Append(escaped, ref held);
    }

    // Said whole each time, if it is said more than once; but of a function's name some servers send pieces.
    private static bool IsLabel(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("role"u8) || name.SequenceEqual("id"u8) || name.SequenceEqual("type"u8) || name.SequenceEqual("name"u8)
        || name.SequenceEqual("format"u8) || name.SequenceEqual("status"u8);

    private void AddObject(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref long held)
    {
        if (_shape != Shape.Object)
        {
            Clear(Shape.Object);
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = reader.ValueSpan;
            JsonPieces member = Member(name);
            held += name.Length;
            reader.Read();
            member.Add(ref reader, json, name, ref held);
        }
    }

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
        JsonPieces part = _elements is [.., { } last] && last.IsOf("\"text\""u8) ? last : NewElement(-1, default, "\"text\""u8);
        part.Member("type"u8).Replace("\"text\""u8, ref held);
        part.Member("text"u8).AddText(escaped, "text"u8, ref held);
    }

    /// <summary>The element that a piece belongs to; <see langword="null"/> where pieces are elements of their own.</summary>
    private JsonPieces? ElementFor(Utf8JsonReader reader, ReadOnlySpan<byte> json, bool areCalls, bool areParts)
    {
        long index = -1;
        ReadOnlySpan<byte> id = default, type = default;
        bool beginsCall = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isIndex = reader.TextIs("index"u8), isId = reader.TextIs("id"u8), isType = reader.TextIs("type"u8), isFunction = reader.TextIs("function"u8);
            reader.Read();
            if (isIndex && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long told))
            {
                index = told;
            }

            beginsCall |= isFunction && reader.TokenType == JsonTokenType.StartObject && HasName(reader);
            ReadOnlySpan<byte> value = ValueOf(ref reader, json);
            bool isTold = value.Length > 2 && value[0] == '"';
            id = isId && isTold ? value : id;
            type = isType && isTold ? value : type;
        }

        if (areCalls || index >= 0)
        {
            JsonPieces element = Known(index, id, areCalls, beginsCall) ?? NewElement(index, id, default);
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
    private JsonPieces? Known(long index, ReadOnlySpan<byte> id, bool areCalls, bool beginsCall)
    {
        for (int i = _elements!.Count - 1; i >= 0; i--)
        {
            JsonPieces element = _elements[i];
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

    private JsonPieces NewElement(long index, ReadOnlySpan<byte> id, ReadOnlySpan<byte> type)
    {
        ThrowIfTooMany(_elements!.Count);
        var element = new JsonPieces
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

        JsonPieces element = NewElement(-1, default, default);
        element._shape = Shape.Whole;
        element.Append(json, ref held);
    }

    private void Clear(Shape shape)
    {
        _shape = shape;
        _length = 0;
        _members = null;
        _elements = null;
    }

    private void Append(ReadOnlySpan<byte> bytes, ref long held)
    {
        held += bytes.Length;
        int needed = checked(_length + bytes.Length);
        if (_bytes.Length < needed)
        {
            int doubled = (int)Math.Min(2L * _bytes.Length, Array.MaxLength);
            Array.Resize(ref _bytes, Math.Max(needed, doubled));
        }

        bytes.CopyTo(_bytes.AsSpan(_length));
        _length = needed;
    }

    private static void ThrowIfTooMany(int count)
    {
        if (count >= MostParts)
        {
            throw new JsonException($"A part of the answer has more than {MostParts} parts of its own.");
        }
    }
}
