using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>A piece of JSON in which texts may name columns. Values come in as texts and in no other way.</summary>
internal abstract class JsonTemplate
{
    /// <summary>The columns that are named.</summary>
    public virtual IEnumerable<string> Columns => [];

    /// <summary>A text that names columns.</summary>
    public static JsonTemplate Text(string template) => new TextNode(new TextTemplate(template));

    /// <summary>A text in which braces are nothing but braces.</summary>
    public static JsonTemplate Verbatim(string text) => new VerbatimNode(text);

    /// <summary>JSON that stays as it is written.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static JsonTemplate Raw(string json)
    {
        using JsonDocument document = JsonText.Parse(json);
        return new RawNode(JsonText.BytesOf(document.RootElement));
    }

    /// <summary>A message with a text.</summary>
    public static JsonTemplate Message(string role, JsonTemplate content) => new ObjectNode([("role", Verbatim(role)), ("content", content)]);

    /// <summary>Several of them.</summary>
    public static JsonTemplate Array(JsonTemplate[] items) => new ArrayNode(items);

    /// <summary>The messages of a JSON array.</summary>
    /// <exception cref="ArgumentException">It is none, or one of them is no message.</exception>
    public static JsonTemplate[] Messages(string json)
    {
        try
        {
            using JsonDocument document = JsonText.Parse(json);
            JsonElement root = document.RootElement;
            return root.ValueKind == JsonValueKind.Array && root.EnumerateArray().All(IsMessage)
                ? [.. root.EnumerateArray().Select(Of)]
                : throw new ArgumentException("A template of messages is a JSON array of messages, each with a \"role\": [{\"role\":\"user\",\"content\":\"{{text}}\"}].");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ArgumentException($"The template of messages is no JSON: {e.Message}", e);
        }
    }

    /// <summary>Writes it with a row's values.</summary>
    public abstract void Write(Utf8JsonWriter writer, RowValues row);

    private static bool IsMessage(JsonElement json) => json.ValueKind == JsonValueKind.Object && JsonText.StringOf(json, "role") is not null;

    private static JsonTemplate Of(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Array => new ArrayNode([.. json.EnumerateArray().Select(Of)]),
        JsonValueKind.Object => new ObjectNode([.. json.EnumerateObject().Select(member => (member.Name, Of(member.Value)))]),
        JsonValueKind.String => Text(json.GetString()!),
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
