using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Makes a JSON value that satisfies a JSON schema: the same for the same schema and hash.</summary>
/// <remarks>What a schema demands and this type cannot make is an error that names it, never a value that does not fit.</remarks>
internal sealed class SchemaValue
{
    private const int MaxDepth = 24; // of what a schema requires
    private const int OptionalDepth = 4; // of what it only allows: schemas may contain themselves
    private const int MaxItems = 1000;

    private static readonly JsonWriterOptions s_writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string[] s_unsupported =
        ["not", "if", "contains", "propertyNames", "dependentRequired", "dependentSchemas", "$dynamicRef", "$recursiveRef"];

    private readonly JsonElement _root;
    private readonly SchemaDraws _draws;

    private SchemaValue(JsonElement root, SchemaDraws draws)
    {
        _root = root;
        _draws = draws;
    }

    /// <summary>Makes a value.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="hash">What the value is drawn from.</param>
    /// <param name="series">Another series gives another value.</param>
    /// <returns>The value as compact JSON.</returns>
    /// <exception cref="SchemaException">No value can be made; the message says why.</exception>
    public static byte[] Make(JsonElement schema, BodyHash hash, ulong series)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, s_writing))
        {
            new SchemaValue(schema, new SchemaDraws(hash, series)).Write(writer, schema, "text", 0);
        }

        return bytes.WrittenSpan.ToArray();
    }

    private void Write(Utf8JsonWriter writer, JsonElement schema, string name, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new SchemaException($"it requires more than {MaxDepth} levels, at '{name}'");
        }

        SchemaParts parts = Parts(schema, depth);
        if (s_unsupported.FirstOrDefault(keyword => parts.TryGet(keyword, out _)) is { } unsupported)
        {
            throw new SchemaException($"'{unsupported}' is not supported, at '{name}'");
        }

        if (parts.TryGet("const", out JsonElement constant))
        {
            constant.WriteTo(writer);
        }
        else if (parts.TryGet("enum", out JsonElement values) && values.ValueKind == JsonValueKind.Array && values.GetArrayLength() > 0)
        {
            values[(int)(_draws.Next() % (ulong)values.GetArrayLength())].WriteTo(writer);
        }
        else
        {
            WriteTyped(writer, parts, name, depth);
        }
    }

    private void WriteTyped(Utf8JsonWriter writer, SchemaParts parts, string name, int depth)
    {
        switch (parts.TypeName())
        {
            case "object":
                WriteObject(writer, parts, depth);
                break;
            case "array":
                WriteArray(writer, parts, name, depth);
                break;
            case "integer":
                writer.WriteRawValue(SchemaNumbers.Make(parts, _draws, isWhole: true, name).ToString(CultureInfo.InvariantCulture));
                break;
            case "number":
                writer.WriteRawValue(SchemaNumbers.Make(parts, _draws, isWhole: false, name).ToString(CultureInfo.InvariantCulture));
                break;
            case "boolean":
                writer.WriteBooleanValue(_draws.Next() % 2 == 0);
                break;
            case "null":
                writer.WriteNullValue();
                break;
            case "string":
                writer.WriteStringValue(SchemaTexts.Make(parts, _draws, name));
                break;
            case var type:
                throw new SchemaException($"'{type}' is not a type, at '{name}'");
        }
    }

    private void WriteObject(Utf8JsonWriter writer, SchemaParts parts, int depth)
    {
        string[] required = [.. parts.Strings("required")];
        var written = new HashSet<string>(StringComparer.Ordinal);
        writer.WriteStartObject();
        foreach ((string member, JsonElement schema) in parts.Members("properties"))
        {
            if ((depth < OptionalDepth || required.Contains(member)) && written.Add(member))
            {
                writer.WritePropertyName(member);
                Write(writer, schema, member, depth + 1);
            }
        }

        long fewest = parts.Number("minProperties", 0);
        bool hasOthers = parts.TryGet("additionalProperties", out JsonElement others);
        foreach (string member in required.Concat(Enumerable.Range(1, MaxItems).Select(number => $"member{number}")))
        {
            bool isRequired = required.Contains(member);
            if (written.Contains(member) || (!isRequired && written.Count >= fewest))
            {
                continue;
            }

            if (hasOthers && others.ValueKind == JsonValueKind.False)
            {
                throw new SchemaException($"it requires '{member}' or more members, and allows no other than its 'properties'");
            }

            written.Add(member);
            writer.WritePropertyName(member);
            if (hasOthers && others.ValueKind == JsonValueKind.Object)
            {
                Write(writer, others, member, depth + 1);
            }
            else
            {
                writer.WriteStringValue(SchemaTexts.Make(default, _draws, member));
            }
        }

        if (written.Count > parts.Number("maxProperties", long.MaxValue))
        {
            throw new SchemaException("'maxProperties' is less than the number of its 'properties'");
        }

        writer.WriteEndObject();
    }

    private void WriteArray(Utf8JsonWriter writer, SchemaParts parts, string name, int depth)
    {
        long fewest = parts.Number("minItems", 0), most = parts.Number("maxItems", long.MaxValue);
        JsonElement[] prefix = parts.TryGet("prefixItems", out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray()] : [];
        bool hasItems = parts.TryGet("items", out JsonElement items);
        bool isClosed = hasItems && items.ValueKind == JsonValueKind.False;
        long count = Math.Max(fewest, prefix.Length > 0 ? prefix.Length : depth < OptionalDepth ? 1 + (long)(_draws.Next() % 2) : 0);
        count = Math.Min(Math.Min(count, most), isClosed ? prefix.Length : long.MaxValue);
        if (count < fewest || count > MaxItems)
        {
            throw new SchemaException(
                $"an array with {fewest} items is not possible here, at '{name}' (the simulator makes at most {MaxItems})");
        }

        bool isUnique = parts.TryGet("uniqueItems", out JsonElement unique) && unique.ValueKind == JsonValueKind.True;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        writer.WriteStartArray();
        for (int i = 0, tries = 0; i < count && tries < 100; tries++)
        {
            JsonElement? schema = i < prefix.Length ? prefix[i] : hasItems && items.ValueKind == JsonValueKind.Object ? items : null;
            string item = Item(schema, name, depth);
            if (seen.Add(item) || !isUnique)
            {
                writer.WriteRawValue(item);
                (i, tries) = (i + 1, 0);
            }
            else if (tries == 99 && i < fewest)
            {
                throw new SchemaException($"{fewest} different items were not found, at '{name}'");
            }
        }

        writer.WriteEndArray();
    }

    private string Item(JsonElement? schema, string name, int depth)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, s_writing))
        {
            if (schema is { } known)
            {
                Write(writer, known, name, depth + 1);
            }
            else
            {
                writer.WriteStringValue(SchemaTexts.Make(default, _draws, name));
            }
        }

        return System.Text.Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    // A schema with those that it refers to, includes, or chooses from.
    private SchemaParts Parts(JsonElement schema, int depth)
    {
        List<JsonElement> parts = [];
        Add(schema, parts, depth, 0);
        return new SchemaParts(parts);
    }

    private void Add(JsonElement schema, List<JsonElement> parts, int depth, int hops)
    {
        if (schema.ValueKind == JsonValueKind.False)
        {
            throw new SchemaException("the schema 'false' allows no value");
        }

        if (schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        if (hops > MaxDepth)
        {
            throw new SchemaException("a '$ref' leads back to itself");
        }

        parts.Add(schema);
        if (schema.TryGetProperty("$ref", out JsonElement reference))
        {
            Add(Resolve(reference), parts, depth, hops + 1);
        }

        if (schema.TryGetProperty("allOf", out JsonElement all) && all.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement part in all.EnumerateArray())
            {
                Add(part, parts, depth, hops + 1);
            }
        }

        foreach (string choice in (ReadOnlySpan<string>)["anyOf", "oneOf"])
        {
            if (schema.TryGetProperty(choice, out JsonElement options) && options.ValueKind == JsonValueKind.Array
                && options.GetArrayLength() > 0)
            {
                Add(Choose([.. options.EnumerateArray()], depth), parts, depth, hops + 1);
            }
        }
    }

    // Deep down, one that ends there.
    private JsonElement Choose(JsonElement[] options, int depth)
    {
        JsonElement[] open = depth < OptionalDepth ? [.. options.Where(option => !IsOfType(option, "null"))]
            : [.. options.Where(option => option.ValueKind == JsonValueKind.Object && !option.TryGetProperty("$ref", out _)
                && !option.TryGetProperty("properties", out _) && !option.TryGetProperty("items", out _))];
        JsonElement[] from = open.Length > 0 ? open : options;
        return from[(int)(_draws.Next() % (ulong)from.Length)];
    }

    private static bool IsOfType(JsonElement schema, string type) => schema.ValueKind == JsonValueKind.Object
        && schema.TryGetProperty("type", out JsonElement stated) && stated.ValueKind == JsonValueKind.String && stated.ValueEquals(type);

    private JsonElement Resolve(JsonElement reference)
    {
        string path = reference.ValueKind == JsonValueKind.String ? reference.GetString()! : "";
        if (!path.StartsWith('#'))
        {
            throw new SchemaException($"'$ref' to '{path}', which is not within the schema");
        }

        JsonElement found = _root;
        foreach (string step in path.Split('/').Skip(1))
        {
            string name = Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal)
                .Replace("~0", "~", StringComparison.Ordinal);
            found = found.ValueKind == JsonValueKind.Object && found.TryGetProperty(name, out JsonElement member) ? member
                : found.ValueKind == JsonValueKind.Array && int.TryParse(name, out int index)
                    && index >= 0 && index < found.GetArrayLength()
                    ? found[index]
                : throw new SchemaException($"'{path}' leads nowhere");
        }

        return found;
    }
}
