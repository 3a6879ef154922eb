using System.Globalization;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Visits each place of a JSON schema, and collects what no draft knows and what strict mode does not know.</summary>
internal sealed class SchemaWalk(JsonElement root, List<string> refused, List<string> notStrict)
{
    // What OpenAI's strict mode supports (https://platform.openai.com/docs/guides/structured-outputs), and annotations, which it ignores.
    private static readonly HashSet<string> s_strict = new(StringComparer.Ordinal)
    {
        "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "definitions",
        "title", "description", "pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "minItems", "maxItems",
    };

    // The keywords of drafts 6 to 2020-12 besides those of strict mode.
    private static readonly HashSet<string> s_known = new(s_strict, StringComparer.Ordinal)
    {
        "$schema", "$id", "$anchor", "$comment", "$vocabulary", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor",
        "allOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies", "prefixItems", "contains",
        "minContains", "maxContains", "patternProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "additionalItems",
        "minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties", "contentEncoding", "contentMediaType", "contentSchema",
        "default", "examples", "deprecated", "readOnly", "writeOnly",
    };

    private static readonly string[] s_types = ["string", "number", "integer", "boolean", "array", "object", "null"];

    private static readonly string[] s_maps = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

    private static readonly string[] s_lists = ["anyOf", "allOf", "oneOf", "prefixItems"];

    private static readonly string[] s_schemas =
    [
        "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
        "unevaluatedProperties", "additionalItems", "contentSchema",
    ];

    /// <summary>Visits a schema and those inside it.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="place">Its place, for messages.</param>
    public void Visit(JsonElement schema, string place)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            return; // true or false; anything else is an error of the schema library
        }

        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            string name = keyword.NameText();
            if (!s_known.Contains(name))
            {
                refused.Add($"{place}: \"{name}\" is not a keyword of JSON Schema"
                    + (Suggestion.For(name, s_known) is { } meant ? $" (did you mean \"{meant}\"?)" : ""));
            }
            else if (name is "$ref" or "$dynamicRef" or "$recursiveRef" && keyword.Value.Text()?.StartsWith('#') != true)
            {
                refused.Add($"{place}: \"{name}\" refers to another document, which is not fetched");
            }
            else if (name == "$ref" && !Resolves(keyword.Value.Text()!))
            {
                refused.Add($"{place}: \"$ref\" refers to {keyword.Value.Text()}, which is not in the schema");
            }
            else if (!s_strict.Contains(name) && name is not ("$schema" or "$id" or "$comment"))
            {
                notStrict.Add($"{place}: {name}");
            }

            foreach ((string at, JsonElement inner) in Inner(name, keyword.Value))
            {
                Visit(inner, $"{place}/{at}");
            }
        }

        AddUnknownTypes(schema, place);
        AddOpenObject(schema, place);
    }

    private static IEnumerable<(string At, JsonElement Schema)> Inner(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object when s_maps.Contains(name) =>
            value.EnumerateObject().Select(member => ($"{name}/{member.NameText()}", member.Value)),
        JsonValueKind.Array when s_lists.Contains(name) || name == "items" =>
            value.EnumerateArray().Select((item, i) => ($"{name}/{i}", item)),
        _ when s_schemas.Contains(name) => [(name, value)],
        _ => [],
    };

    private void AddUnknownTypes(JsonElement schema, string place)
    {
        foreach (string? type in schema.Elements("type").Select(static one => one.Text()).Append(schema.Text("type")))
        {
            if (type is not null && !s_types.Contains(type, StringComparer.Ordinal))
            {
                string hint = Suggestion.For(type, s_types) is { } meant
                    ? $"did you mean \"{meant}\"?"
                    : $"use {string.Join(", ", s_types)}";
                refused.Add($"{place}: \"{type}\" is not a type of JSON Schema ({hint})");
            }
        }
    }

    // In strict mode an object has all its members and no others.
    private void AddOpenObject(JsonElement schema, string place)
    {
        bool isObject = schema.Text("type") == "object" || schema.Elements("type").Any(type => type.Text() == "object");
        JsonElement properties = schema.Member("properties");
        if (!isObject && properties.ValueKind == JsonValueKind.Undefined)
        {
            return;
        }

        if (schema.Member("additionalProperties").ValueKind != JsonValueKind.False)
        {
            notStrict.Add($"{place}: an object without \"additionalProperties\": false");
        }

        string?[] required = [.. schema.Elements("required").Select(name => name.Text())];
        if (properties.ValueKind == JsonValueKind.Object
            && properties.EnumerateObject().Any(member => !required.Contains(member.NameText())))
        {
            notStrict.Add($"{place}: members that are not required");
        }
    }

    // Names of anchors are left to the schema library.
    private bool Resolves(string reference) =>
        !reference.StartsWith("#/", StringComparison.Ordinal) || Resolve(root, reference).ValueKind != JsonValueKind.Undefined;

    /// <summary>Finds the place that a reference of the form <c>#/a/b</c> names; undefined if there is none.</summary>
    public static JsonElement Resolve(JsonElement root, string reference)
    {
        JsonElement at = root;
        foreach (string part in reference[2..].Split('/'))
        {
            string name = Uri.UnescapeDataString(part)
                .Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            at = at.ValueKind != JsonValueKind.Array ? at.Member(name)
                : int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < at.GetArrayLength()
                ? at[index]
                : default;
        }

        return at;
    }
}
