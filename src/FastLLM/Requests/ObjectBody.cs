using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Converts dictionaries and objects to requests, as if their JSON had been read.</summary>
internal static class ObjectBody
{
    public const string NeedsReflection = "Reads the properties of the object by reflection. In trimmed programs, use a dictionary.";

    public static LlmRequest ToRequest(IReadOnlyDictionary<string, object?> body) => Read(body, null);

    [RequiresUnreferencedCode(NeedsReflection)]
    public static LlmRequest ToRequest(object body) => body switch
    {
        LlmRequest request => request,
        string => throw new ArgumentException(
            $"A text is not a request. Read JSON with {nameof(LlmRequest)}.{nameof(LlmRequest.FromJson)}.", nameof(body)),
        _ => Read(body, WriteProperties),
    };

    public static Message ToMessage(IReadOnlyDictionary<string, object?> message)
    {
        using JsonDocument document = JsonText.Parse(Write(message, null));
        return MessageJson.Read(document.RootElement);
    }

    private static LlmRequest Read(object body, Action<Utf8JsonWriter, string, object>? writeObject) =>
        LlmRequest.FromJson(Write(body, writeObject).AsSpan());

    private static byte[] Write(object body, Action<Utf8JsonWriter, string, object>? writeObject)
    {
        try
        {
            return JsonText.Build(writer => Parameters.Write(writer, "body", body, writeObject));
        }
        catch (InvalidOperationException e)
        {
            throw new ArgumentException(
                $"The body is nested more than {JsonText.MaxDepth} levels deep, or contains itself.", nameof(body), e);
        }
    }

    // Types of .NET itself have no members that a provider would know: an error is better than their properties.
    [RequiresUnreferencedCode(NeedsReflection)]
    private static void WriteProperties(Utf8JsonWriter writer, string name, object value)
    {
        Type type = value.GetType();
        if (type.IsEnum || type.Assembly == typeof(object).Assembly)
        {
            throw Parameters.NotSendable(name, value);
        }

        writer.WriteStartObject();
        foreach (PropertyInfo property in type.GetProperties(BindingFlags.Instance | BindingFlags.Public))
        {
            if (property.CanRead && property.GetIndexParameters().Length == 0
                && property.GetCustomAttribute<JsonIgnoreAttribute>() is not { Condition: JsonIgnoreCondition.Always })
            {
                string member = property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? property.Name;
                writer.WriteName(member);
                Parameters.Write(writer, member, property.GetValue(value), WriteProperties);
            }
        }

        writer.WriteEndObject();
    }
}
