using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>C# values as JSON text, and back.</summary>
internal static class ValueJson
{
    // Compact, and without escapes that no JSON API needs: the text goes into a prompt, where each character is paid for.
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonTypeInfo AnyType = AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object));

    /// <summary>A 32-bit number as the double that prints the same: 0.1f is 0.1, not 0.10000000149.</summary>
    public static double? Exact(float? value, string name) => value switch
    {
        null => null,
        float.NaN => throw new ArgumentOutOfRangeException(name, value, $"{name} is not a number."),
        { } number => double.Parse(number.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
    };

    /// <summary>Named values as one JSON object.</summary>
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

    /// <summary>Any value as JSON.</summary>
    public static string Write(object? value) => Encoding.UTF8.GetString(Build(writer => WriteValue(writer, value)));

    /// <summary>What <paramref name="write"/> writes.</summary>
    public static byte[] Build(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            write(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The members of a JSON object; of no text at all, none.</summary>
    /// <exception cref="JsonException">The text is no JSON object.</exception>
    public static IDictionary<string, object?> ReadMembers(string json)
    {
        var members = new Dictionary<string, object?>(StringComparer.Ordinal);
        if (string.IsNullOrWhiteSpace(json))
        {
            return members;
        }

        using JsonDocument document = JsonDocument.Parse(json);
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

    private static void WriteValue(Utf8JsonWriter writer, object? value)
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
