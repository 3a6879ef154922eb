using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Base class for the parts of a JSON value whose text may name columns. Values are inserted as text, never as JSON.</summary>
internal abstract class JsonTemplate
{
    /// <summary>Gets the columns that the text names.</summary>
    public virtual IEnumerable<string> Columns => [];

    /// <summary>Creates text that may name columns.</summary>
    public static JsonTemplate Text(string template) => new TextNode(new TextTemplate(template));

    /// <summary>Creates text in which braces are only braces.</summary>
    public static JsonTemplate Verbatim(string text) => new VerbatimNode(text);

    /// <summary>Creates a value that is written as it is.</summary>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    public static JsonTemplate Raw(string json)
    {
        using JsonDocument document = JsonText.Parse(json);
        return new RawNode(JsonText.BytesOf(document.RootElement));
    }

    /// <summary>Creates a message.</summary>
    public static JsonTemplate Message(string role, JsonTemplate content) =>
        new ObjectNode([("role", Verbatim(role)), ("content", content)]);

    /// <summary>Creates an array.</summary>
    public static JsonTemplate Array(JsonTemplate[] items) => new ArrayNode(items);

    /// <summary>Creates the messages of a JSON array.</summary>
    /// <exception cref="ArgumentException">The text is not a JSON array of messages.</exception>
    public static JsonTemplate[] Messages(string json)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(json);
            JsonElement root = document.RootElement;
            return root.ValueKind == JsonValueKind.Array && root.EnumerateArray().All(IsMessage)
                ? [.. root.EnumerateArray().Select(Of)]
                : throw new ArgumentException("""
                    A template of messages is a JSON array of messages, each with a "role": [{"role":"user","content":"{{text}}"}].
                    """);
        }
        catch (JsonException e)
        {
            throw new ArgumentException(JsonFault.Describe("The template of messages", e), e);
        }
    }

    /// <summary>Writes the part with the values of a row.</summary>
    public abstract void Write(Utf8JsonWriter writer, RowValues row);

    private static bool IsMessage(JsonElement json) =>
        json.ValueKind == JsonValueKind.Object && JsonText.StringOf(json, "role") is not null;

    private static JsonTemplate Of(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Array => new ArrayNode([.. json.EnumerateArray().Select(Of)]),
        JsonValueKind.Object => new ObjectNode([.. json.EnumerateObject().Select(member => (member.Name, Of(member.Value)))]),
        JsonValueKind.String => Text(JsonText.StringOf(json)),
        _ => new RawNode(JsonText.BytesOf(json)),
    };

    private sealed class TextNode(TextTemplate template) : JsonTemplate
    {
        public override IEnumerable<string> Columns => template.Columns;

        public override void Write(Utf8JsonWriter writer, RowValues row) => writer.WriteText(template.Fill(row));
    }

    private sealed class VerbatimNode(string text) : JsonTemplate
    {
        public override void Write(Utf8JsonWriter writer, RowValues row) => writer.WriteText(text);
    }

    private sealed class RawNode(byte[] json) : JsonTemplate
    {
        public override void Write(Utf8JsonWriter writer, RowValues row) => writer.WriteRawValue(json, skipInputValidation: true);
    }

    private sealed class ArrayNode(JsonTemplate[] items) : JsonTemplate
    {
        public override IEnumerable<string> Columns => items.SelectMany(item => item.Columns);

        public override void Write(Utf8JsonWriter writer, RowValues row)
        {
            writer.WriteStartArray();
            foreach (JsonTemplate item in items)
            {
                item.Write(writer, row);
            }

            writer.WriteEndArray();
        }
    }

    private sealed class ObjectNode((string Name, JsonTemplate Value)[] members) : JsonTemplate
    {
        public override IEnumerable<string> Columns => members.SelectMany(member => member.Value.Columns);

        public override void Write(Utf8JsonWriter writer, RowValues row)
        {
            writer.WriteStartObject();
            foreach ((string name, JsonTemplate value) in members)
            {
                writer.WriteName(name);
                value.Write(writer, row);
            }

            writer.WriteEndObject();
        }
    }
}
