using System.ClientModel.Primitives;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Json;

namespace FastLLM.Mapping;

/// <summary>Reads objects of other libraries that write themselves as JSON, such as those of the OpenAI library.</summary>
internal static class RawModel
{
    /// <summary>Gets the JSON object that an object writes; <see langword="null"/> if it writes none.</summary>
    public static JsonElement? ToJson(object? model)
    {
        if (model is not IPersistableModel<object> persistable)
        {
            return null;
        }

        BinaryData written;
        try
        {
            written = persistable.Write(ModelReaderWriterOptions.Json);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or FormatException)
        {
            // The options of embeddings of the OpenAI library cannot be written without texts.
            return null;
        }

        using JsonDocument document = JsonText.Parse(written.ToMemory());
        return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
    }

    /// <summary>Gets the body parameters that a <c>RawRepresentationFactory</c> made.</summary>
    /// <exception cref="NotSupportedException">The object has no known type.</exception>
    public static Dictionary<string, JsonElement> ToParameters(object? raw)
    {
        JsonElement json = raw switch
        {
            null => default,
            JsonElement { ValueKind: JsonValueKind.Object } element => element,
            JsonObject or IEnumerable<KeyValuePair<string, object?>> => ValueJson.Element(writer => ValueJson.WriteValue(writer, raw)),
            _ => ToJson(raw) ?? throw new NotSupportedException(
                $"A {raw.GetType().Name} of a RawRepresentationFactory cannot be sent. Return the body parameters as a JsonObject, "
                + "a JsonElement, a dictionary, or the ChatCompletionOptions of the OpenAI library."),
        };
        return json.ValueKind != JsonValueKind.Object ? []
            : json.EnumerateObject().ToDictionary(member => member.Name, member => member.Value.Clone(), StringComparer.Ordinal);
    }
}
