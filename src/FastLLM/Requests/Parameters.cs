using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Collects body parameters as C# values and converts them to JSON.</summary>
/// <remarks>Uses no reflection: a value that it cannot write is an error that names the parameter.</remarks>
internal struct Parameters
{
    private Dictionary<string, JsonElement>? _values;

    /// <summary>Adds a parameter, unless it is <see langword="null"/>.</summary>
    public void Add(string name, object? value)
    {
        if (value is not null)
        {
            AddValue(name, value);
        }
    }

    /// <summary>Adds a number, unless it is <see langword="null"/>.</summary>
    public void Add<T>(string name, T? value)
        where T : struct
    {
        if (value is { } number)
        {
            Add(name, (object)number);
        }
    }

    /// <summary>Adds parameters by name.</summary>
    public void AddRange(IReadOnlyDictionary<string, object?>? values)
    {
        if (values is null)
        {
            return;
        }

        foreach ((string name, object? value) in values)
        {
            if (RequestFields.Names.Contains(name))
            {
                throw new ArgumentException($"\"{name}\" has a parameter of its own; set that one.", nameof(values));
            }

            Add(name, value);
        }
    }

    /// <summary>Gets the parameters, or <see langword="null"/> if there are none.</summary>
    public readonly IReadOnlyDictionary<string, JsonElement>? ToDictionary() => _values;

    // A separate method: otherwise the closure would be allocated for each parameter, also one that is null.
    private void AddValue(string name, object value)
    {
        byte[] json = JsonText.Build(writer => Write(writer, name, value));
        using JsonDocument document = JsonText.Parse(json);
        if (!(_values ??= new Dictionary<string, JsonElement>(StringComparer.Ordinal)).TryAdd(name, document.RootElement.Clone()))
        {
            throw new ArgumentException($"\"{name}\" is given twice: as a parameter and among the extra ones.", name);
        }
    }

    /// <summary>Writes a value as JSON.</summary>
    /// <param name="writer">The writer.</param>
    /// <param name="name">The parameter, for error messages.</param>
    /// <param name="value">The value.</param>
    /// <param name="writeObject">Writes values of other types; <see langword="null"/> to refuse them.</param>
    public static void Write(Utf8JsonWriter writer, string name, object? value, Action<Utf8JsonWriter, string, object>? writeObject = null)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteText(text);
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case float number when float.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            case float or double:
                throw new ArgumentException(
                    $"\"{name}\" holds {Convert.ToString(value, CultureInfo.InvariantCulture)}, which JSON cannot carry.", name);
            case decimal number:
                writer.WriteNumberValue(number);
                break;
            case sbyte or byte or short or ushort or int or uint or long:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong number:
                writer.WriteNumberValue(number);
                break;
            case JsonElement element:
                writer.WriteRaw(element);
                break;
            case JsonDocument document:
                writer.WriteRaw(document.RootElement);
                break;
            case JsonNode node:
                EnsureEncodable(node, name);
                node.WriteTo(writer);
                break;
            case Message message:
                message.WriteTo(writer);
                break;
            case ContentPart part:
                writer.WriteRawValue(part.Json, skipInputValidation: true);
                break;
            case IReadOnlyDictionary<string, double> numbers:
                WriteMembers(writer, name, numbers.Select(n => KeyValuePair.Create(n.Key, (object?)n.Value)), writeObject);
                break;
            case IEnumerable<KeyValuePair<string, object?>> members:
                WriteMembers(writer, name, members, writeObject);
                break;
            case IDictionary members:
                WriteMembers(writer, name, members.Keys.Cast<object>().Select(
                    key => KeyValuePair.Create(Convert.ToString(key, CultureInfo.InvariantCulture) ?? "", members[key])), writeObject);
                break;
            case IEnumerable elements:
                writer.WriteStartArray();
                foreach (object? element in elements)
                {
                    Write(writer, name, element, writeObject);
                }

                writer.WriteEndArray();
                break;
            default:
                (writeObject ?? throw NotSendable(name, value))(writer, name, value);
                break;
        }
    }

    /// <summary>Creates the exception for a value that cannot be sent.</summary>
    public static ArgumentException NotSendable(string name, object value) => new(
        $"\"{name}\" is a {value.GetType().Name}, which cannot be sent. "
        + $"Give a text, number, truth value, JsonNode, JsonElement, or a list or dictionary of these.", name);

    // A JsonNode would write U+FFFD for text that UTF-8 cannot carry, and throw another exception for such text read from JSON.
    private static void EnsureEncodable(JsonNode? node, string name)
    {
        try
        {
            switch (node)
            {
                case JsonObject members:
                    foreach ((string key, JsonNode? value) in members)
                    {
                        JsonText.EnsureEncodable(key, name);
                        EnsureEncodable(value, name);
                    }

                    break;
                case JsonArray elements:
                    foreach (JsonNode? element in elements)
                    {
                        EnsureEncodable(element, name);
                    }

                    break;
                case JsonValue value when value.TryGetValue(out string? text):
                    JsonText.EnsureEncodable(text, name);
                    break;
            }
        }
        catch (InvalidOperationException e)
        {
            throw new ArgumentException($"\"{name}\" holds half of a surrogate pair, which UTF-8 cannot carry.", name, e);
        }
    }

    private static void WriteMembers(Utf8JsonWriter writer, string name, IEnumerable<KeyValuePair<string, object?>> members,
        Action<Utf8JsonWriter, string, object>? writeObject)
    {
        writer.WriteStartObject();
        foreach ((string key, object? value) in members)
        {
            writer.WriteName(key);
            Write(writer, name, value, writeObject);
        }

        writer.WriteEndObject();
    }
}
