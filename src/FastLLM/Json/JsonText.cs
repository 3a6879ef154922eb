using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Reads and writes the JSON of requests. Text that UTF-8 cannot carry is an error here, never a silent U+FFFD.</summary>
/// <remarks>The policy for all JSON, strict and tolerant, is described at <see cref="ReceivedJson"/>.</remarks>
internal static class JsonText
{
    /// <summary>The deepest nesting: a tool's schema may be nested deeply, anything deeper is a mistake or an attack.</summary>
    public const int MaxDepth = 256;

    private const int RetainedBytes = 1 << 20;

    private static readonly JsonWriterOptions WriterOptions = new()
    {
        // The bytes go to a JSON API, never into a web page: only what must be escaped is.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
        MaxDepth = MaxDepth,
    };

    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    /// <summary>Gets the bytes that <paramref name="write"/> writes.</summary>
    public static byte[] Build(Action<Utf8JsonWriter> write) =>
        Build(write, static (writer, write) => write(writer), static written => written.ToArray());

    /// <summary>Passes the bytes that <paramref name="write"/> writes to <paramref name="use"/>; the span is valid only during that
    /// call.</summary>
    public static TResult Build<TState, TResult>(TState state, Action<Utf8JsonWriter, TState> write, Func<ReadOnlySpan<byte>, TResult> use)
    {
        // Taken while in use, so that a nested call creates its own writer.
        ArrayBufferWriter<byte> buffer = Interlocked.Exchange(ref t_buffer, null) ?? new ArrayBufferWriter<byte>(1024);
        Utf8JsonWriter writer = Interlocked.Exchange(ref t_writer, null) ?? new Utf8JsonWriter(buffer, WriterOptions);
        writer.Reset(buffer);
        try
        {
            write(writer, state);
            writer.Flush();
            return use(buffer.WrittenSpan);
        }
        finally
        {
            if (buffer.Capacity <= RetainedBytes)
            {
                buffer.ResetWrittenCount();
                t_buffer = buffer;
                t_writer = writer;
            }
        }
    }

    /// <summary>Parses one JSON value.</summary>
    /// <exception cref="JsonException">The text is not JSON, has duplicate members, or is nested too deeply.</exception>
    public static JsonDocument Parse(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        EnsureEncodable(json, nameof(json));
        return Parse(Encoding.UTF8.GetBytes(json));
    }

    /// <inheritdoc cref="Parse(string)"/>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8Json)
    {
        try
        {
            return JsonDocument.Parse(utf8Json, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
        }
        catch (InvalidOperationException e)
        {
            throw NotUtf8("A member's name", e);
        }
    }

    /// <summary>Gets the value's own bytes, as they were written.</summary>
    public static byte[] BytesOf(JsonElement json) => JsonMarshal.GetRawUtf8Value(json).ToArray();

    /// <summary>Writes a value's own bytes.</summary>
    public static void WriteRaw(this Utf8JsonWriter writer, JsonElement value) =>
        writer.WriteRawValue(JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);

    /// <summary>Gets the text of a member, or <see langword="null"/> if it is missing or not text.</summary>
    /// <exception cref="JsonException">UTF-8 cannot carry the text.</exception>
    public static string? StringOf(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? StringOf(value) : null;

    /// <summary>Gets the text of a JSON string.</summary>
    /// <exception cref="JsonException">UTF-8 cannot carry the text.</exception>
    public static string StringOf(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e) when (value.ValueKind == JsonValueKind.String)
        {
            throw NotUtf8("A text", e);
        }
    }

    /// <summary>Gets the name or string at the reader.</summary>
    /// <exception cref="JsonException">UTF-8 cannot carry the text.</exception>
    public static string StringOf(ref Utf8JsonReader reader, string what = "A text")
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e) when (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
        {
            throw NotUtf8(what, e);
        }
    }

    /// <summary>Throws if a name or string of some JSON has half of a surrogate pair, which valid UTF-8 can only have as an
    /// escape.</summary>
    /// <exception cref="JsonException">One has.</exception>
    public static void EnsureEncodable(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("\\ud"u8) < 0 && json.IndexOf("\\uD"u8) < 0)
        {
            return;
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
            {
                _ = StringOf(ref reader);
            }
        }
    }

    /// <summary>Writes a text member, and refuses text that has a lone surrogate.</summary>
    /// <exception cref="ArgumentException">The text has a lone surrogate.</exception>
    public static void WriteText(this Utf8JsonWriter writer, ReadOnlySpan<byte> name, string text)
    {
        EnsureEncodable(text, name);
        writer.WriteString(name, text);
    }

    /// <summary>Writes text, and refuses text that has a lone surrogate.</summary>
    /// <exception cref="ArgumentException">The text has a lone surrogate.</exception>
    public static void WriteText(this Utf8JsonWriter writer, string text)
    {
        EnsureEncodable(text, "value");
        writer.WriteStringValue(text);
    }

    /// <summary>Writes a member's name, and refuses one that has a lone surrogate.</summary>
    /// <exception cref="ArgumentException">The name has a lone surrogate.</exception>
    public static void WriteName(this Utf8JsonWriter writer, string name)
    {
        EnsureEncodable(name, "name");
        writer.WritePropertyName(name);
    }

    /// <summary>Returns whether the text has half of a surrogate pair.</summary>
    public static bool HasLoneSurrogate(string text) => IndexOfLoneSurrogate(text) >= 0;

    /// <summary>Throws if the text has half of a surrogate pair.</summary>
    public static void EnsureEncodable(string text, string name)
    {
        if (IndexOfLoneSurrogate(text) is >= 0 and var index)
        {
            ThrowLoneSurrogate(name, index);
        }
    }

    private static void EnsureEncodable(string text, ReadOnlySpan<byte> name)
    {
        if (IndexOfLoneSurrogate(text) is >= 0 and var index)
        {
            ThrowLoneSurrogate(Encoding.UTF8.GetString(name), index);
        }
    }

    private static int IndexOfLoneSurrogate(ReadOnlySpan<char> text)
    {
        int start = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        for (int i = start; i >= 0 && i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }

            return i;
        }

        return -1;
    }

    private static JsonException NotUtf8(string what, Exception cause) =>
        new($"{what} has bytes that are not valid UTF-8, or half of a surrogate pair.", cause);

    [DoesNotReturn]
    private static void ThrowLoneSurrogate(string name, int index) => throw new ArgumentException(
        $"The text of \"{name}\" has half of a surrogate pair at position {index}, which UTF-8 cannot carry. "
        + $"Cut text between characters, not inside one.", name);
}
