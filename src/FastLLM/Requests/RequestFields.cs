using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>The parameters of a request that have a name of their own here.</summary>
internal sealed record RequestFields(
    string? Model,
    Message[] Messages,
    EmbeddingInput? Input,
    double? Temperature,
    int? MaxCompletionTokens,
    double? TopP,
    double? PresencePenalty,
    double? FrequencyPenalty,
    StopSequences? Stop,
    bool Stream,
    IReadOnlyDictionary<string, JsonElement>? Additional)
{
    /// <summary>The names of the members that have a property of their own.</summary>
    public static readonly HashSet<string> Names =
        ["model", "messages", "input", "temperature", "max_completion_tokens", "top_p", "presence_penalty", "frequency_penalty", "stop", "stream"];

    /// <summary>Reads the fields of a body. What does not fit its field stays among the additional ones, so that nothing is lost.</summary>
    /// <param name="body">A JSON object.</param>
    /// <param name="check">Whether a value out of range, or of a wrong type, is an error.</param>
    public static RequestFields Read(ReadOnlyMemory<byte> body, bool check)
    {
        using JsonDocument document = JsonText.Parse(body);
        var fields = new RequestFields(null, [], null, null, null, null, null, null, null, false, null);
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
            ("presence_penalty", JsonValueKind.Number) => this with { PresencePenalty = Number(value, -2, 2, nameof(LlmRequest.PresencePenalty), check) },
            ("frequency_penalty", JsonValueKind.Number) => this with { FrequencyPenalty = Number(value, -2, 2, nameof(LlmRequest.FrequencyPenalty), check) },
            ("max_completion_tokens", JsonValueKind.Number) when value.Whole() is { } most and <= int.MaxValue and >= int.MinValue => this with { MaxCompletionTokens = check ? Positive((int)most) : (int)most },
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
