using System.Text.Json;

namespace FastLLM.Json;

/// <summary>A JSON value that comes in pieces: texts grow at their end, objects by their members, lists by their elements.</summary>
/// <remarks>
/// Texts stay as they are escaped, so that nothing is decoded: two escaped texts one after the other are one, also where a
/// character beyond the basic plane was cut between them.
/// </remarks>
internal sealed partial class JsonAccumulator
{
    /// <summary>More members, or elements that are told apart, are no answer but an attack.</summary>
    private const int MaxParts = 1000;

    private Shape _shape;
    private byte[] _bytes = [];
    private int _length;
    private List<(byte[] Name, JsonAccumulator Value)>? _members;
    private List<JsonAccumulator>? _elements;

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
    public IReadOnlyList<(byte[] Name, JsonAccumulator Value)> Members => _members is null ? [] : _members;

    /// <summary>The elements of a list that are told apart; one of them may be several that are not.</summary>
    public IReadOnlyList<JsonAccumulator> Elements => _elements is null ? [] : _elements;

    /// <summary>The member of that name; made where there is none.</summary>
    public JsonAccumulator Member(ReadOnlySpan<byte> name)
    {
        _shape = Shape.Object;
        _members ??= [];
        foreach ((byte[] known, JsonAccumulator value) in _members)
        {
            if (name.SequenceEqual(known))
            {
                return value;
            }
        }

        ThrowIfTooMany(_members.Count);
        var made = new JsonAccumulator();
        _members.Add((name.ToArray(), made));
        return made;
    }

    /// <summary>The member of that name, if there is one.</summary>
    public JsonAccumulator? Find(ReadOnlySpan<byte> name)
    {
        foreach ((byte[] known, JsonAccumulator value) in Members)
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
        foreach (JsonAccumulator element in Elements)
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
        foreach ((byte[] name, JsonAccumulator value) in Members)
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
            JsonAccumulator member = Member(name);
            held += name.Length;
            reader.Read();
            member.Add(ref reader, json, name, ref held);
        }
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
        if (count >= MaxParts)
        {
            throw new JsonException($"A part of the answer has more than {MaxParts} parts of its own.");
        }
    }
}
