using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Represents everything that a caller sets on a request.</summary>
// Many fields because a request has as many.
internal record struct RequestFields
{
    public RequestFields()
    {
    }

    public string? Provider { get; set; }

    public string? CustomId { get; set; }

    public string Endpoint { get; set; } = Endpoints.ChatCompletions;

    public int Sample { get; set; }

    public string? Model { get; set; }

    public Message[] Messages { get; set; } = [];

    public EmbeddingInput? Input { get; set; }

    public double? Temperature { get; set; }

    public bool IsTemperatureSet { get; set; }

    public int? MaxCompletionTokens { get; set; }

    public double? TopP { get; set; }

    public double? PresencePenalty { get; set; }

    public double? FrequencyPenalty { get; set; }

    public StopSequences? Stop { get; set; }

    public bool Stream { get; set; }

    public IReadOnlyDictionary<string, JsonElement>? Additional { get; set; }

    /// <summary>Gets the fields of a request on which nothing is set.</summary>
    public static RequestFields Defaults => new() { Temperature = 0.7, TopP = 1.0, PresencePenalty = 0.0, FrequencyPenalty = 0.0 };

    /// <summary>The names of the members that have a property.</summary>
    public static readonly HashSet<string> Names =
    [
        "model", "messages", "input", "temperature", "max_completion_tokens", "top_p", "presence_penalty", "frequency_penalty", "stop", "stream",
    ];

    /// <summary>
    /// Reads the fields of a body. Values that do not fit their field are kept as additional parameters, so that nothing is lost.
    /// </summary>
    /// <param name="body">A JSON object.</param>
    /// <param name="check">Whether a value that is out of range, or has the wrong type, is an error.</param>
    /// <param name="known">The fields that are not in the body.</param>
    public static RequestFields Read(ReadOnlyMemory<byte> body, bool check, in RequestFields known)
    {
        using JsonDocument document = JsonText.Parse(body);
        var fields = new RequestFields
        {
            Provider = known.Provider, CustomId = known.CustomId, Endpoint = known.Endpoint, Sample = known.Sample, IsTemperatureSet = true,
        };
        Dictionary<string, JsonElement>? additional = null;
        foreach (JsonProperty member in document.RootElement.EnumerateObject())
        {
            if (fields.With(member, check) is { } more)
            {
                fields = more;
            }
            else if (check && Names.Contains(member.Name) && member.Value.ValueKind != JsonValueKind.Null)
            {
                throw new JsonException($"\"{member.Name}\" has a value of the wrong kind ({member.Value.ValueKind}).");
            }
            else if (member.Value.ValueKind != JsonValueKind.Null)
            {
                (additional ??= []).Add(member.Name, member.Value.Clone());
            }
        }

        return fields with { Additional = additional };
    }

    private RequestFields? With(JsonProperty member, bool check)
    {
        JsonElement value = member.Value;
        return (member.Name, value.ValueKind) switch
        {
            ("model", JsonValueKind.String) => this with { Model = JsonText.StringOf(value) },
            ("messages", JsonValueKind.Array) => ReadMessages(value, check) is { } messages ? this with { Messages = messages } : null,
            ("input", JsonValueKind.String or JsonValueKind.Array) => this with { Input = EmbeddingInput.FromJson(value) },
            ("temperature", JsonValueKind.Number) => this with { Temperature = Number(value, 0, 2, nameof(LlmRequest.Temperature), check) },
            ("top_p", JsonValueKind.Number) => this with { TopP = Number(value, 0, 1, nameof(LlmRequest.TopP), check) },
            ("presence_penalty", JsonValueKind.Number) =>
                this with { PresencePenalty = Number(value, -2, 2, nameof(LlmRequest.PresencePenalty), check) },
            ("frequency_penalty", JsonValueKind.Number) =>
                this with { FrequencyPenalty = Number(value, -2, 2, nameof(LlmRequest.FrequencyPenalty), check) },
            ("max_completion_tokens", JsonValueKind.Number) when value.Whole() is { } most and <= int.MaxValue and >= int.MinValue =>
                this with { MaxCompletionTokens = check ? Positive((int)most) : (int)most },
            ("stop", JsonValueKind.String) => this with { Stop = JsonText.StringOf(value) },
            ("stop", JsonValueKind.Array) when value.EnumerateArray().All(stop => stop.ValueKind == JsonValueKind.String) =>
                this with { Stop = StopSequences.Create([.. value.EnumerateArray().Select(JsonText.StringOf)]) },
            ("stream", JsonValueKind.True or JsonValueKind.False) => this with { Stream = value.GetBoolean() },
            _ => null,
        };
    }

    private static Message[]? ReadMessages(JsonElement value, bool check)
    {
        try
        {
            return [.. value.EnumerateArray().Select(Message.FromJson)];
        }
        catch (Exception e) when (!check && e is JsonException or ArgumentException)
        {
            return null;
        }
    }

    private static double? Number(JsonElement value, double least, double most, string name, bool check)
    {
        double number = value.GetDouble();
        return check ? Ranges.Check(number, least, most, name) : number;
    }

    private static int Positive(int most) => most >= 1 ? most : throw new ArgumentOutOfRangeException(
        nameof(LlmRequest.MaxCompletionTokens), most, $"{nameof(LlmRequest.MaxCompletionTokens)} must be at least 1.");
}
