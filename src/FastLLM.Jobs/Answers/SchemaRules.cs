using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Answers;

/// <summary>Represents what is known about a JSON schema before the first send: whether strict mode knows all of it, and why not.</summary>
/// <param name="NotStrict">The places that strict mode does not know, each with its reason; empty if it knows all.</param>
internal sealed record SchemaRules(IReadOnlyList<string> NotStrict)
{
    private const int ShownReasons = 5;

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
                    + (more > 0 ? FormattableString.Invariant($" and {more} more. ") : ". ")
                    + "Answers are checked here against all of it.";
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

        new SchemaWalk(document.RootElement, refused, notStrict).Visit(document.RootElement, "#");
        if (refused.Count == 0 && SchemaReach.ErrorOf(document.RootElement) is { } endless)
        {
            refused.Add(endless);
        }

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
            throw new ArgumentException(JsonFault.Describe("The schema", e), e);
        }
    }
}
