using System.Buffers.Text;
using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Represents a JSON value that arrives in pieces: text grows at its end, an object by its members, a list by its
/// elements.</summary>
/// <remarks>
/// Text stays escaped, so that nothing is decoded: two pieces of escaped text join to one, also if a surrogate pair was cut between them.
/// </remarks>
internal sealed class JsonAccumulator
{
    /// <summary>The maximum number of members or elements; more are an attack.</summary>
    private const int MaxParts = 1000;

    private Shape _shape;
    private byte[] _bytes = [];
    private int _length;
    private List<(byte[] Name, JsonAccumulator Value)>? _members;
    private AccumulatedList? _list;

    private enum Shape : byte
    {
        None,
        Null,
        Text,
        Whole,
        Object,
        List,
    }

    /// <summary>Gets whether the value is an object, or text or a list that is not empty.</summary>
    public bool HasContent => _shape is Shape.Text && _length > 0 || _shape is Shape.List && _list!.Count > 0 || _shape is Shape.Object;

    /// <summary>Gets whether the value is an object that is put together of pieces.</summary>
    public bool IsObject => _shape is Shape.Object;

    /// <summary>Gets whether the value arrived whole.</summary>
    public bool IsWhole => _shape is Shape.Whole;

    /// <summary>Gets whether the value is empty text.</summary>
    public bool IsEmptyText => _shape is Shape.Text && _length == 0;

    /// <summary>Gets the number, if the value arrived whole and is one.</summary>
    public double? Number =>
        _shape is Shape.Whole && Utf8Parser.TryParse(_bytes.AsSpan(0, _length), out double number, out int read) && read == _length
        ? number : null;

    /// <summary>Returns whether the value arrived whole and is exactly <paramref name="json"/>.</summary>
    public bool Is(ReadOnlySpan<byte> json) => _shape is Shape.Whole && json.SequenceEqual(_bytes.AsSpan(0, _length));

    /// <summary>Gets the members of an object, in the order of arrival.</summary>
    public IReadOnlyList<(byte[] Name, JsonAccumulator Value)> Members => _members is null ? [] : _members;

    /// <summary>Gets the list, if the value is one.</summary>
    public AccumulatedList? List => _list;

    public static JsonAccumulator NewObject() => new() { _shape = Shape.Object };

    /// <summary>Gets the member of that name, or adds one.</summary>
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

    /// <summary>Gets the member of that name, if there is one.</summary>
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

    /// <summary>Replaces the value, unless the new one has no content: null, empty text, 0.</summary>
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

    /// <summary>Adds the value at the reader to the end of this one.</summary>
    /// <param name="reader">Stands at the first token of the value.</param>
    /// <param name="json">The JSON that it reads.</param>
    /// <param name="name">The name of the member.</param>
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
                ToList(ref held).Add(ref reader, json, name, ref held);
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
                _list!.WriteTo(output, withoutIndex: false);
                break;
            default:
                output.Append("null"u8);
                break;
        }
    }

    /// <summary>Gets the bytes of the value at the reader, and moves the reader to its end.</summary>
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
                output.AppendName(name);
                value.WriteTo(output);
            }
        }

        output.Append((byte)'}');
    }

    /// <summary>Adds text, which stays escaped.</summary>
    public void AddText(ReadOnlySpan<byte> escaped, ReadOnlySpan<byte> name, ref long held)
    {
        if (_shape == Shape.List && _list!.Count > 0)
        {
            // A list of parts that continues as plain text.
            if (!escaped.IsEmpty)
            {
                _list.AddText(escaped, ref held);
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

    // Sent whole each time; only of a function's name some servers send pieces.
    private static bool IsLabel(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("role"u8) || name.SequenceEqual("id"u8) || name.SequenceEqual("type"u8) || name.SequenceEqual("name"u8)
        || name.SequenceEqual("format"u8) || name.SequenceEqual("status"u8);

    /// <summary>Adds a whole value to others that arrived whole, with a comma between them.</summary>
    public void AppendWhole(ReadOnlySpan<byte> json, ref long held)
    {
        if (_shape == Shape.Whole)
        {
            Append(","u8, ref held);
        }

        _shape = Shape.Whole;
        Append(json, ref held);
    }

    // Text that continues as a list of parts becomes the first part.
    private AccumulatedList ToList(ref long held)
    {
        if (_shape != Shape.List)
        {
            byte[]? text = _shape == Shape.Text && _length > 0 ? _bytes[.._length] : null;
            Clear(Shape.List);
            _list = new AccumulatedList();
            if (text is not null)
            {
                _list.AddText(text, ref held);
            }
        }

        return _list!;
    }

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
        _list = null;
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

    public static void ThrowIfTooMany(int count)
    {
        if (count >= MaxParts)
        {
            throw new JsonException($"A part of the answer has more than {MaxParts} parts of its own.");
        }
    }
}
