using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Thrown where a value for a schema cannot be made.</summary>
internal sealed class SchemaException(string reason) : Exception(reason);

/// <summary>Draws the numbers of one value, one after the other.</summary>
internal sealed class SchemaDraws(BodyHash hash, ulong series)
{
    private ulong _count;

    public ulong Next() => hash.Draw(series + 1000, _count++);
}

/// <summary>Schemas that all apply to one value.</summary>
internal readonly struct SchemaParts(List<JsonElement>? parts)
{
    private static readonly (string Keyword, string Type)[] s_hints =
    [
        ("properties", "object"), ("required", "object"), ("additionalProperties", "object"), ("minProperties", "object"),
        ("items", "array"), ("prefixItems", "array"), ("minItems", "array"),
        ("minimum", "number"), ("maximum", "number"), ("exclusiveMinimum", "number"), ("exclusiveMaximum", "number"),
        ("multipleOf", "number"),
    ];

    /// <summary>Gets a keyword from the first schema that has it.</summary>
    public bool TryGet(string keyword, out JsonElement value)
    {
        foreach (JsonElement part in parts ?? [])
        {
            if (part.TryGetProperty(keyword, out value))
            {
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>Gets the members of a keyword, of all schemas.</summary>
    public IEnumerable<(string Name, JsonElement Schema)> Members(string keyword) => (parts ?? [])
        .Where(part => part.TryGetProperty(keyword, out JsonElement members) && members.ValueKind == JsonValueKind.Object)
        .SelectMany(part => part.GetProperty(keyword).EnumerateObject()).Select(member => (member.Name, member.Value));

    /// <summary>Gets the texts of a keyword, of all schemas.</summary>
    public IEnumerable<string> Strings(string keyword) => (parts ?? [])
        .Where(part => part.TryGetProperty(keyword, out JsonElement list) && list.ValueKind == JsonValueKind.Array)
        .SelectMany(part => part.GetProperty(keyword).EnumerateArray()).Where(text => text.ValueKind == JsonValueKind.String)
        .Select(text => text.GetString()!).Distinct(StringComparer.Ordinal);

    /// <summary>Gets a count.</summary>
    public long Number(string keyword, long otherwise) =>
        TryGet(keyword, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.TryGetInt64(out long number) ? number : (long)Math.Min(Math.Ceiling(value.GetDouble()), long.MaxValue)
            : otherwise;

    /// <summary>Gets a bound; <see langword="null"/> if there is none, or none that a decimal can hold.</summary>
    public decimal? Bound(string keyword) =>
        TryGet(keyword, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out decimal number)
            ? number : null;

    /// <summary>Gets the type of the value: the first that is not null, or what the keywords say.</summary>
    public string TypeName()
    {
        if (TryGet("type", out JsonElement type))
        {
            string[] names = type.ValueKind == JsonValueKind.Array
                ? [.. type.EnumerateArray().Select(name => name.ToString())] : [type.ToString()];
            return names.FirstOrDefault(name => name != "null") ?? "null";
        }

        foreach ((string keyword, string hint) in s_hints)
        {
            if (TryGet(keyword, out _))
            {
                return hint;
            }
        }

        return "string";
    }
}
