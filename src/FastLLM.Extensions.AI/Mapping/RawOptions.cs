using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Json;

namespace FastLLM.Mapping;

/// <summary>Represents the body parameters of a <c>RawRepresentationFactory</c>. They take precedence over the options; stop
/// sequences and tools are joined.</summary>
internal sealed class RawOptions(object? raw)
{
    private readonly Dictionary<string, JsonElement> _parameters = RawModel.ToParameters(raw);
    private readonly HashSet<string> _names = [];

    /// <summary>Gets the model.</summary>
    public string? Model => _parameters.TryGetValue("model", out JsonElement model) ? model.Text() : null;

    /// <summary>Returns whether a parameter was given, even if it was taken since.</summary>
    public bool Has(string name) => _names.Contains(name) || _parameters.ContainsKey(name);

    public JsonNode? Take(string name) => TakeElement(name) is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } value
        ? JsonNode.Parse(value.GetRawText()) : null;

    public double? TakeNumber(string name) => TakeElement(name) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : null;

    public long? TakeWhole(string name) => TakeElement(name).Whole();

    public JsonArray? TakeTools() => Take("tools") as JsonArray;

    /// <summary>Gets the stop sequences, followed by those of the options.</summary>
    public string[] TakeStop(IList<string>? others)
    {
        JsonElement value = TakeElement("stop");
        IEnumerable<string> own = value.ValueKind switch
        {
            JsonValueKind.String => [value.GetString()!],
            JsonValueKind.Array => value.EnumerateArray().Select(text => text.GetString()!),
            _ => [],
        };
        return [.. own, .. others ?? []];
    }

    /// <summary>Adds the parameters that have no option.</summary>
    public void TakeRest(Dictionary<string, object?> extra, string parameterName)
    {
        if (_parameters.ContainsKey("messages"))
        {
            throw new NotSupportedException("\"messages\" of a RawRepresentationFactory cannot be sent: give them to the call.");
        }

        // Streaming is the call's choice.
        foreach ((string name, JsonElement value) in _parameters)
        {
            if (name is not ("model" or "stream" or "stream_options") && value.ValueKind != JsonValueKind.Null
                && !extra.TryAdd(name, value))
            {
                throw new ArgumentException($"\"{name}\" is given twice: by the RawRepresentationFactory and among AdditionalProperties.",
                    parameterName);
            }
        }
    }

    private JsonElement TakeElement(string name)
    {
        if (_parameters.Remove(name, out JsonElement value))
        {
            _names.Add(name);
        }

        return value;
    }
}
