using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Represents a member of the answers, which is a column of a table.</summary>
/// <param name="Name">The name.</param>
/// <param name="IsCounted">Whether its values are few, so that they are counted: an enum or a truth value.</param>
internal readonly record struct AnswerField(string Name, bool IsCounted)
{
    /// <summary>Gets the members at the root of a schema.</summary>
    public static IReadOnlyList<AnswerField> Of(JsonElement schema)
    {
        JsonElement properties = schema.Member("properties");
        return properties.ValueKind != JsonValueKind.Object ? []
            : [.. properties.EnumerateObject().Select(member => new AnswerField(member.NameText(), IsSmall(member.Value)))];
    }

    private static bool IsSmall(JsonElement schema) => schema.Member("enum").ValueKind == JsonValueKind.Array
        || schema.Text("type") == "boolean"
        || schema.Elements("type").Any(type => type.Text() == "boolean");
}
