using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts tools and response formats, with their schemas, to the JSON that is sent.</summary>
internal static class ChatTools
{
    /// <summary>The property that makes the model follow a schema strictly.</summary>
    public const string Strict = "strict";

    /// <summary>The longer name of <see cref="Strict"/>.</summary>
    public const string StrictSchema = "strictJsonSchema";

    // Strict schemas need all properties and no others. The cache holds schemas weakly, by tool and by format.
    private static readonly AIJsonSchemaTransformCache s_strict = new(new AIJsonSchemaTransformOptions
    {
        DisallowAdditionalProperties = true,
        ConvertBooleanSchemas = true,
        MoveDefaultKeywordToDescription = true,
        RequireAllProperties = true,
    });

    public static JsonArray? ToJson(IList<AITool>? tools, bool? strict, JsonArray? raw)
    {
        JsonArray all = raw ?? [];
        foreach (AITool tool in tools ?? [])
        {
            if (tool is DeclaredFunction declared)
            {
                all.Add(JsonNode.Parse(declared.Json.GetRawText()));
            }
            else if (tool is AIFunctionDeclaration function)
            {
                all.Add((JsonNode)ToJson(function, IsStrict(function.AdditionalProperties) ?? strict));
            }
            else if (tool is not HostedWebSearchTool { AdditionalProperties.Count: 0 })
            {
                throw new NotSupportedException(
                    $"A tool of type {tool?.GetType().Name ?? "null"} cannot be sent, "
                    + $"only functions can ({nameof(AIFunctionDeclaration)}), and a {nameof(HostedWebSearchTool)} without properties.");
            }
        }

        return all.Count > 0 ? all : null;
    }

    public static bool HasWebSearch(IList<AITool>? tools) => tools?.Any(tool => tool is HostedWebSearchTool) == true;

    public static JsonObject? ToFormat(ChatResponseFormat? format, bool? strict)
    {
        if (format is not ChatResponseFormatJson { Schema: not null } json || s_strict.GetOrCreateTransformedSchema(json) is not { } schema)
        {
            return format switch
            {
                ChatResponseFormatJson => new JsonObject { ["type"] = "json_object" },
                ChatResponseFormatText => new JsonObject { ["type"] = "text" },
                _ => null,
            };
        }

        var described = new JsonObject { ["name"] = json.SchemaName ?? "json_schema", ["schema"] = JsonNode.Parse(schema.GetRawText()) };
        if (json.SchemaDescription is { } description)
        {
            described["description"] = description;
        }

        if (strict is { } isStrict)
        {
            described["strict"] = isStrict;
        }

        return new JsonObject { ["type"] = "json_schema", ["json_schema"] = described };
    }

    /// <summary>Gets whether a schema is to be followed strictly, by either name; <see langword="null"/> if not said.</summary>
    public static bool? IsStrict(IReadOnlyDictionary<string, object?>? properties) =>
        ValueOf(properties, StrictSchema) ?? ValueOf(properties, Strict);

    private static bool? ValueOf(IReadOnlyDictionary<string, object?>? properties, string name) =>
        properties?.TryGetValue(name, out object? value) is not true ? null : value switch
        {
            bool strict => strict,
            JsonElement { ValueKind: JsonValueKind.True or JsonValueKind.False } json => json.GetBoolean(),
            _ => null,
        };

    private static JsonObject ToJson(AIFunctionDeclaration function, bool? strict)
    {
        var declared = new JsonObject { ["name"] = function.Name, ["parameters"] = ParametersOf(function, strict == true) };
        if (!string.IsNullOrEmpty(function.Description))
        {
            declared["description"] = function.Description;
        }

        if (strict is { } isStrict)
        {
            declared["strict"] = isStrict;
        }

        return new JsonObject { ["type"] = "function", ["function"] = declared };
    }

    // Servers expect an object schema in full: arguments that no parameter takes would be lost.
    private static JsonNode? ParametersOf(AIFunctionDeclaration function, bool isStrict)
    {
        JsonElement schema = isStrict ? s_strict.GetOrCreateTransformedSchema(function) : function.JsonSchema;
        JsonNode? node = JsonNode.Parse(schema.GetRawText());
        if (node is JsonObject parameters)
        {
            parameters.TryAdd("type", "object");
            parameters.TryAdd("properties", new JsonObject());
            parameters.TryAdd("required", new JsonArray());
            parameters.TryAdd("additionalProperties", false);
        }

        return node;
    }
}
