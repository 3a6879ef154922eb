using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Represents what is known about a JSON schema before the first send: whether strict mode knows all of it, and why not.</summary>
/// <param name="NotStrict">The places that strict mode does not know, each with its reason; empty if it knows all.</param>
internal sealed record SchemaRules(IReadOnlyList<string> NotStrict)
{
    private const int ShownReasons = 5;

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

    private static readonly string[] s_maps = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

    private static readonly string[] s_lists = ["anyOf", "allOf", "oneOf", "prefixItems"];

    private static readonly string[] s_schemas =
    [
        "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
        "unevaluatedProperties", "additionalItems", "contentSchema",
    ];

    /// <summary>Gets a value indicating whether strict mode knows all of the schema.</summary>
    public bool IsStrict => NotStrict.Count == 0;

    /// <summary>Gets the message about what strict mode does not know; <see langword="null"/> if it knows all.</summary>
    public string? Notice
    {
        get
        {
            int more = NotStrict.Count - ShownReasons;
            string reasons = string.Join(", ", NotStrict.Take(ShownReasons));
            return IsStrict ? null
                : $"The schema is sent with strict false, since the strict mode of providers does not know all of it: {reasons}"
                    + (more > 0 ? FormattableString.Invariant($" and {more} more. ") : ". ") + "Answers are checked here against all of it.";
        }
    }

    /// <summary>Checks a schema.</summary>
    /// <exception cref="ArgumentException">It is not JSON, has keywords that no draft has, or refers to another document.</exception>
    public static SchemaRules Of(string json)
    {
        using JsonDocument document = Parse(json);
        List<string> refused = [], notStrict = [];
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new ArgumentException("The schema is not a JSON object.");
        }

        Walk(document.RootElement, "#", refused, notStrict);
        if (document.RootElement.Member("anyOf").ValueKind != JsonValueKind.Undefined)
        {
            notStrict.Add("#: anyOf at the root");
        }

        return refused.Count == 0 ? new SchemaRules(notStrict)
            : throw new ArgumentException($"The schema cannot be used: {string.Join("; ", refused.Take(ShownReasons))}.");
    }

    /// <summary>Returns whether a schema describes objects only.</summary>
    public static bool IsObject(JsonElement schema) => schema.Text("type") == "object"
        || (schema.Member("type").ValueKind == JsonValueKind.Undefined && schema.Member("properties").ValueKind == JsonValueKind.Object);

    /// <summary>Returns the schema on one line.</summary>
    public static string Minify(string json)
    {
        using JsonDocument document = Parse(json);
        var line = new System.Buffers.ArrayBufferWriter<byte>(json.Length);
        JsonMinifier.Write(JsonText.BytesOf(document.RootElement), line);
        return System.Text.Encoding.UTF8.GetString(line.WrittenSpan);
    }

    private static JsonDocument Parse(string json)
    {
        try
        {
            return JsonText.Parse(json.TrimStart('\uFEFF'));
        }
        catch (JsonException e)
        {
            throw new ArgumentException($"The schema is not JSON: {e.Message}", e);
        }
    }

    private static void Walk(JsonElement schema, string place, List<string> refused, List<string> notStrict)
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
                refused.Add($"{place}: \"{name}\" is not a keyword of JSON Schema");
            }
            else if (name is "$ref" or "$dynamicRef" or "$recursiveRef" && keyword.Value.Text()?.StartsWith('#') != true)
            {
                refused.Add($"{place}: \"{name}\" refers to another document, which is not fetched");
            }
            else if (!s_strict.Contains(name) && name is not ("$schema" or "$id" or "$comment"))
            {
                notStrict.Add($"{place}: {name}");
            }

            foreach ((string at, JsonElement inner) in Inner(name, keyword.Value))
            {
                Walk(inner, $"{place}/{at}", refused, notStrict);
            }
        }

        AddOpenObject(schema, place, notStrict);
    }

    private static IEnumerable<(string At, JsonElement Schema)> Inner(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object when s_maps.Contains(name) => value.EnumerateObject().Select(member => ($"{name}/{member.NameText()}", member.Value)),
        JsonValueKind.Array when s_lists.Contains(name) || name == "items" => value.EnumerateArray().Select((item, i) => ($"{name}/{i}", item)),
        _ when s_schemas.Contains(name) => [(name, value)],
        _ => [],
    };

    // In strict mode an object has all its members and no others.
    private static void AddOpenObject(JsonElement schema, string place, List<string> notStrict)
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
        if (properties.ValueKind == JsonValueKind.Object && properties.EnumerateObject().Any(member => !required.Contains(member.NameText())))
        {
            notStrict.Add($"{place}: members that are not required");
        }
    }
}
