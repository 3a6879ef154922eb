using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Reads a list of fields such as <c>mood:good|bad,score:number,note:string?</c> into a JSON schema for strict mode.</summary>
internal static class FieldList
{
    private const string Help =
        "Write name:type, with type string, number, integer, boolean, or values such as good|bad; [] for a list, ? for null.";

    private static readonly string[] s_types = ["string", "number", "integer", "boolean"];

    /// <summary>Reads the list.</summary>
    /// <exception cref="ArgumentException">A field has no known type, or occurs twice.</exception>
    public static IReadOnlyList<Field> Parse(string list)
    {
        List<Field> fields = [];
        foreach (string item in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (item.Split(':', 2, StringSplitOptions.TrimEntries) is not [{ Length: > 0 } name, { Length: > 0 } type])
            {
                throw new ArgumentException($"The field \"{item}\" has no name or no type. {Help}");
            }

            if (fields.Exists(field => field.Name == name))
            {
                throw new ArgumentException($"The field \"{name}\" occurs twice. Remove one of them.");
            }

            fields.Add(new Field(name, SchemaOf(name, type)));
        }

        return fields.Count > 0 ? fields : throw new ArgumentException($"There is no field. {Help}");
    }

    /// <summary>Gets the schema of objects with some fields, all of them required.</summary>
    public static string SchemaOf(IReadOnlyList<Field> fields)
    {
        string members = string.Join(',', fields.Select(field => $"{Quote(field.Name)}:{field.Schema}"));
        string names = string.Join(',', fields.Select(field => Quote(field.Name)));
        return $$"""{"type":"object","properties":{{{members}}},"required":[{{names}}],"additionalProperties":false}""";
    }

    /// <summary>Gets the schema of one of several texts.</summary>
    public static string EnumOf(IEnumerable<string> values, bool isNullable = false)
    {
        string all = string.Join(',', [.. values.Select(Quote), .. isNullable ? ["null"] : Array.Empty<string>()]);
        return isNullable ? $$"""{"type":["string","null"],"enum":[{{all}}]}""" : $$"""{"type":"string","enum":[{{all}}]}""";
    }

    private static string SchemaOf(string name, string type)
    {
        bool isNullable = type.EndsWith('?');
        type = isNullable ? type[..^1].TrimEnd() : type;
        if (type.EndsWith("[]", StringComparison.Ordinal))
        {
            string item = SchemaOf(name, type[..^2].TrimEnd());
            return isNullable ? $$"""{"type":["array","null"],"items":{{item}}}""" : $$"""{"type":"array","items":{{item}}}""";
        }

        if (type.Contains('|', StringComparison.Ordinal))
        {
            string[] values = type.Split('|', StringSplitOptions.TrimEntries);
            return values.Contains("") || values.Distinct(StringComparer.Ordinal).Count() < values.Length
                ? throw new ArgumentException($"The values \"{type}\" of the field \"{name}\" have an empty one, or one twice.")
                : EnumOf(values, isNullable);
        }

        return !s_types.Contains(type) ? throw new ArgumentException($"The field \"{name}\" has the unknown type \"{type}\". {Help}")
            : isNullable ? $$"""{"type":["{{type}}","null"]}"""
            : $$"""{"type":"{{type}}"}""";
    }

    private static string Quote(string text)
    {
        JsonText.EnsureEncodable(text, "field");
        return $"\"{JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
    }

    /// <summary>Represents a field.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Schema">The schema of its values, as JSON.</param>
    internal readonly record struct Field(string Name, string Schema);
}
