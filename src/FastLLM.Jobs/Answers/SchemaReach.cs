using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Counts how many schemas one value must be checked against, since a schema may apply others to the same value: one that applies
/// itself would be checked without end, and one of nested alternatives for years.</summary>
internal sealed class SchemaReach
{
    private const long Most = 1_000_000;
    private const long Endless = long.MaxValue;
    private const int MaxDepth = 500; // of schemas that apply each other; also the depth of this count

    private static readonly string[] s_same = ["not", "if", "then", "else"];
    private static readonly string[] s_lists = ["allOf", "anyOf", "oneOf"];

    // Places in the text identify schemas: a node of a document has no identity of its own.
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly JsonElement _root;

    private SchemaReach(JsonElement root) => _root = root;

    /// <summary>Returns why a schema cannot be checked in time, or <see langword="null"/>.</summary>
    public static string? ErrorOf(JsonElement root)
    {
        var reach = new SchemaReach(root);
        foreach ((string place, JsonElement schema) in All("#", root))
        {
            long count = reach.Count(place, schema, depth: 0);
            if (count > Most)
            {
                return count == Endless ? $"{place} applies itself to the same value without end"
                    : $"{place} applies more than {Most:N0} schemas to the same value";
            }
        }

        return null;
    }

    private static IEnumerable<(string Place, JsonElement Schema)> All(string place, JsonElement value)
    {
        IEnumerable<(string, JsonElement)> inner = value.ValueKind switch
        {
            JsonValueKind.Object => value.EnumerateObject().Select(member => ($"{place}/{Escape(member.NameText())}", member.Value)),
            JsonValueKind.Array => value.EnumerateArray().Select((item, i) => (FormattableString.Invariant($"{place}/{i}"), item)),
            _ => [],
        };
        return inner.SelectMany(one => All(one.Item1, one.Item2)).Prepend((place, value));
    }

    private long Count(string place, JsonElement schema, int depth)
    {
        if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth)
        {
            return depth > MaxDepth ? Most + 1 : 1;
        }

        if (!_counts.TryAdd(place, Endless))
        {
            return _counts[place]; // still endless where it leads back to itself
        }

        long count = 1;
        foreach ((string at, JsonElement inner) in Applied(place, schema))
        {
            long more = Count(at, inner, depth + 1);
            count = more == Endless || count == Endless ? Endless : Math.Min(count + more, Most + 1);
        }

        return _counts[place] = count;
    }

    private IEnumerable<(string Place, JsonElement Schema)> Applied(string place, JsonElement schema)
    {
        if (schema.Text("$ref") is { } reference && (reference == "#" || reference.StartsWith("#/", StringComparison.Ordinal)))
        {
            yield return (reference, reference == "#" ? _root : SchemaWalk.Resolve(_root, reference));
        }

        foreach (string name in s_same.Where(name => schema.Member(name).ValueKind == JsonValueKind.Object))
        {
            yield return ($"{place}/{name}", schema.Member(name));
        }

        foreach (string name in s_lists)
        {
            var i = 0;
            foreach (JsonElement item in schema.Elements(name))
            {
                yield return (FormattableString.Invariant($"{place}/{name}/{i++}"), item);
            }
        }

        if (schema.Member("dependentSchemas") is { ValueKind: JsonValueKind.Object } dependent)
        {
            foreach (JsonProperty member in dependent.EnumerateObject())
            {
                yield return ($"{place}/dependentSchemas/{Escape(member.NameText())}", member.Value);
            }
        }
    }

    private static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
