using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Converts requests to bytes and back.</summary>
internal static class RequestBody
{
    [ThreadStatic]
    private static string? t_lastModel;

    /// <summary>Writes the body to send. Members are in alphabetical order, as the key needs them.</summary>
    public static ReadOnlyMemory<byte> Write(in RequestFields fields) =>
        JsonText.Build(fields, WriteTo, static bytes => ChunkedAllocator.Requests.Copy(bytes));

    /// <summary>Reads a bare body or a batch line, and throws if a parameter is out of range.</summary>
    public static LlmRequest ReadChecked(ReadOnlySpan<byte> utf8Json)
    {
        utf8Json = utf8Json[ByteOrderMark.LengthIn(utf8Json)..];
        LlmRequest request = BatchLine.IsBatchLine(utf8Json)
            ? BatchLine.Read(utf8Json.ToArray()).ToRequest()
            : FromBare(utf8Json);
        request.ReadFields(check: true);
        return request;
    }

    /// <summary>Returns the parameters if none of them has a property.</summary>
    public static IReadOnlyDictionary<string, JsonElement>? CheckAdditional(IReadOnlyDictionary<string, JsonElement>? parameters)
    {
        if (parameters is null || parameters.Count == 0)
        {
            return null;
        }

        foreach (string name in parameters.Keys)
        {
            if (RequestFields.Names.Contains(name))
            {
                throw new ArgumentException($"\"{name}\" has a property of its own; set that one.",
                    nameof(LlmRequest.AdditionalParameters));
            }

            if (parameters[name].ValueKind == JsonValueKind.Undefined)
            {
                throw new ArgumentException($"\"{name}\" has no value.", nameof(LlmRequest.AdditionalParameters));
            }
        }

        return parameters.ToDictionary(p => p.Key, p => p.Value.Clone(), StringComparer.Ordinal);
    }

    /// <summary>Reads what the engine needs to know of a body that it sends unchanged: the model, and whether it requests a
    /// stream.</summary>
    public static (string? Model, bool Stream) Peek(ReadOnlySpan<byte> body)
    {
        string? model = null;
        bool stream = false;
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = JsonText.MaxDepth });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isModel = reader.TextIs("model"u8);
            bool isStream = reader.TextIs("stream"u8);
            reader.Read();
            if (isModel && reader.TokenType == JsonTokenType.String)
            {
                model = ModelName(ref reader);
            }

            stream |= isStream && reader.TokenType == JsonTokenType.True;
            reader.Skip();
        }

        return (model, stream);
    }

    // The rows of a file mostly name one model, and share its string.
    private static string ModelName(ref Utf8JsonReader reader)
    {
        if (t_lastModel is { } last && reader.ValueTextEquals(last))
        {
            return last;
        }

        return t_lastModel = JsonText.StringOf(ref reader);
    }

    /// <summary>Returns a body with one more member, at its end.</summary>
    public static byte[] WithMember(ReadOnlyMemory<byte> body, string name, JsonElement value) => JsonText.Build(writer =>
    {
        using JsonDocument document = JsonText.Parse(body);
        writer.WriteStartObject();
        foreach (JsonProperty member in document.RootElement.EnumerateObject())
        {
            writer.WriteName(member.Name);
            writer.WriteRaw(member.Value);
        }

        writer.WriteName(name);
        writer.WriteRaw(value);
        writer.WriteEndObject();
    });

    private static LlmRequest FromBare(ReadOnlySpan<byte> utf8Json)
    {
        byte[] body = utf8Json.ToArray();

        // Computing the key reads the whole body once and reports errors in it.
        LlmRequest request = LlmRequest.FromBody(BareBody.EndpointOf(body) ?? Endpoints.ChatCompletions, body);
        using JsonDocument document = JsonText.Parse(body);
        return JsonText.StringOf(document.RootElement, "provider") is { } label
            ? LlmRequest.FromBody(request.Endpoint, WithoutProvider(document.RootElement), provider: label)
            : request;
    }

    private static byte[] WithoutProvider(JsonElement body) => JsonText.Build(writer =>
    {
        writer.WriteStartObject();
        foreach (JsonProperty member in body.EnumerateObject())
        {
            if (member.Name != "provider")
            {
                writer.WritePropertyName(member.Name);
                writer.WriteRaw(member.Value);
            }
        }

        writer.WriteEndObject();
    });

    private static void WriteTo(Utf8JsonWriter writer, RequestFields fields)
    {
        writer.WriteStartObject();
        WriteUnless(writer, "frequency_penalty"u8, fields.FrequencyPenalty, theProvidersOwn: 0);
        if (fields.Input is { } input)
        {
            input.WriteTo(writer);
        }

        if (fields.MaxCompletionTokens is { } most)
        {
            writer.WriteNumber("max_completion_tokens"u8, most);
        }

        if (fields.Messages.Length > 0 || fields.Input is null)
        {
            writer.WriteStartArray("messages"u8);
            foreach (Message message in fields.Messages)
            {
                message.WriteTo(writer);
            }

            writer.WriteEndArray();
        }

        if (fields.Model is { } model)
        {
            writer.WriteText("model"u8, model);
        }

        WriteUnless(writer, "presence_penalty"u8, fields.PresencePenalty, theProvidersOwn: 0);
        fields.Stop?.WriteTo(writer);
        if (fields.Stream)
        {
            writer.WriteBoolean("stream"u8, true);
        }

        WriteUnless(writer, "temperature"u8, fields.Temperature, theProvidersOwn: null);
        WriteUnless(writer, "top_p"u8, fields.TopP, theProvidersOwn: 1);
        if (fields.Additional is { } additional)
        {
            foreach ((string name, JsonElement value) in additional)
            {
                writer.WriteName(name);
                writer.WriteRaw(value);
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteUnless(Utf8JsonWriter writer, ReadOnlySpan<byte> name, double? value, double? theProvidersOwn)
    {
        if (value is { } number && number != theProvidersOwn)
        {
            writer.WriteNumber(name, number);
        }
    }
}
