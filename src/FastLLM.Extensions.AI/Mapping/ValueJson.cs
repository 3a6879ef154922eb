using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts C# values to JSON text and back.</summary>
internal static class ValueJson
{
    // Compact and without unnecessary escapes: the text goes into a prompt, where each character costs money.
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonTypeInfo AnyType = AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object));

    /// <summary>Converts a 32-bit number to the double that prints the same: 0.1f to 0.1, not to 0.10000000149.</summary>
    public static double? Exact(float? value, string name) => value switch
    {
        null => null,
        float.NaN => throw new ArgumentOutOfRangeException(name, value, $"{name} is not a number."),
        { } number => double.Parse(number.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
    };

    /// <summary>Writes named values as a JSON object.</summary>
    public static string Write(IEnumerable<KeyValuePair<string, object?>>? members) => Encoding.UTF8.GetString(Build(writer =>
    {
        writer.WriteStartObject();
        foreach ((string name, object? value) in members ?? [])
        {
            writer.WritePropertyName(name);
            WriteValue(writer, value);
        }

        writer.WriteEndObject();
    }));

    /// <summary>Writes any value as JSON.</summary>
    public static string Write(object? value) => Encoding.UTF8.GetString(Build(writer => WriteValue(writer, value)));

    /// <summary>Gets the bytes that <paramref name="write"/> writes.</summary>
    public static byte[] Build(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            write(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Gets what <paramref name="write"/> writes as a JSON element.</summary>
    public static JsonElement Element(Action<Utf8JsonWriter> write)
    {
        using JsonDocument document = JsonDocument.Parse(Build(write));
        return document.RootElement.Clone();
    }

    /// <summary>Writes a call of a function or a custom tool.</summary>
    public static void WriteCall(Utf8JsonWriter writer, FunctionCallContent call)
    {
        string? input = ChatMessages.InputOf(call);
        writer.WriteStartObject();
        writer.WriteString("id"u8, call.CallId);
        writer.WriteString("type"u8, input is null ? "function"u8 : "custom"u8);
        writer.WriteStartObject(input is null ? "function"u8 : "custom"u8);
        writer.WriteString("name"u8, call.Name);
        writer.WriteString(input is null ? "arguments"u8 : "input"u8, input ?? ChatMessages.ArgumentsOf(call));
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    /// <summary>Reads the members of a JSON object; blank text has none.</summary>
    /// <exception cref="JsonException">The text is not a JSON object.</exception>
    public static IDictionary<string, object?> ReadMembers(string json)
    {
        var members = new Dictionary<string, object?>(StringComparer.Ordinal);
        if (string.IsNullOrWhiteSpace(json))
        {
            return members;
        }

        using JsonDocument document = JsonDocument.Parse(WellFormedJson.Of(Encoding.UTF8.GetBytes(json)).ToArray());
        if (document.RootElement.ValueKind == JsonValueKind.Null)
        {
            return members;
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException($"The arguments of a call are a JSON {document.RootElement.ValueKind}, not an object.");
        }

        foreach (JsonProperty member in document.RootElement.EnumerateObject())
        {
            members[member.Name] = member.Value.ValueKind == JsonValueKind.Null ? null : member.Value.Clone();
        }

        return members;
    }

    /// <summary>Writes any value as JSON.</summary>
    public static void WriteValue(Utf8JsonWriter writer, object? value)
    {
        if (value is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            JsonSerializer.Serialize(writer, value, AnyType);
        }
    }
}
