using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace FastLLM.Checks;

/// <summary>Creates the JSON schema of a .NET type, as providers accept it.</summary>
/// <remarks>In strict mode an object has all its members, and no others: members that a type does not require are nullable. A type with
/// values that strict mode does not know, such as a dictionary, is sent with <c>strict</c> false.</remarks>
internal static class TypedSchema
{
    private static readonly JsonSchemaExporterOptions s_options = new() { TreatNullObliviousAsNonNullable = true };

    /// <summary>Creates the value of <c>response_format</c> for a type.</summary>
    /// <exception cref="NotSupportedException">The type has no schema of an object, which providers need.</exception>
    public static JsonElement ResponseFormat(JsonTypeInfo type, bool isResponses)
    {
        (JsonNode schema, bool isStrict) = Of(type);
        var format = new JsonObject
        {
            ["name"] = NameOf(type.Type),
            ["strict"] = isStrict,
            ["schema"] = schema,
        };
        JsonObject whole = isResponses ? format : new JsonObject { ["json_schema"] = format };
        whole["type"] = "json_schema";
        using JsonDocument document = JsonDocument.Parse(whole.ToJsonString());
        return document.RootElement.Clone();
    }

    /// <summary>Creates the schema of a type, and whether strict mode knows all of it.</summary>
    /// <exception cref="NotSupportedException">The type has no schema of an object, which providers need.</exception>
    public static (JsonNode Schema, bool IsStrict) Of(JsonTypeInfo type)
    {
        if (JsonSchemaExporter.GetJsonSchemaAsNode(type, s_options) is not JsonObject schema
            || schema["properties"] is not JsonObject { Count: > 0 })
        {
            throw new NotSupportedException(
                $"{type.Type.Name} has no members, so it is no answer in JSON mode. "
                + "Use a class or record whose properties are the answer's members.");
        }

        schema["type"] = "object"; // the exporter allows null at the root of a class
        return (schema, Close(schema));
    }

    // Strict mode wants "additionalProperties": false and all members required. Returns whether it knows the rest.
    private static bool Close(JsonNode? node)
    {
        if (node is JsonArray list)
        {
            return list.Aggregate(true, (isStrict, item) => Close(item) & isStrict);
        }

        if (node is not JsonObject schema)
        {
            return node is null || node.GetValueKind() != JsonValueKind.True; // "true" allows any value
        }

        // Of references, strict mode knows those to the whole schema; the exporter makes others by the place of the first occurrence.
        var strict = schema["additionalProperties"] is null or JsonValue && (schema["$ref"] is not { } other || (string?)other == "#");
        if (schema["properties"] is JsonObject properties)
        {
            foreach ((string _, JsonNode? member) in properties)
            {
                strict &= Close(member);
            }

            schema["required"] = new JsonArray([.. properties.Select(member => (JsonNode)member.Key)]);
            schema["additionalProperties"] = false;
        }

        strict &= schema.Count > 0; // an empty schema allows any value
        foreach (string name in (ReadOnlySpan<string>)["items", "anyOf"])
        {
            strict &= schema[name] is not { } inner || Close(inner);
        }

        return strict;
    }

    // Providers allow letters, digits, - and _.
    private static string NameOf(Type type)
    {
        string name = string.Concat(type.Name.Where(c => char.IsAsciiLetterOrDigit(c) || c == '_'));
        return name.Length is > 0 and <= 64 ? name : "answer";
    }
}
