using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace FastLLM.Checks;

/// <summary>Asks for answers of one type: adds its schema to requests, checks answers, and reads them.</summary>
/// <typeparam name="T">The type of the answers.</typeparam>
internal sealed class TypedCheck<T>
{
    private readonly JsonTypeInfo<T> _type;
    private readonly Lazy<JsonElement> _chatFormat;
    private readonly Lazy<JsonElement> _responsesFormat;

    /// <exception cref="NotSupportedException">The type has no schema of an object.</exception>
    public TypedCheck(JsonTypeInfo<T> type)
    {
        ArgumentNullException.ThrowIfNull(type);
        _type = type;
        _chatFormat = new Lazy<JsonElement>(() => TypedSchema.ResponseFormat(type, isResponses: false));
        _responsesFormat = new Lazy<JsonElement>(() => TypedSchema.ResponseFormat(type, isResponses: true));
        string schema = TypedSchema.Of(type).Schema.ToJsonString();
        Check = new AnswerCheck(
            text => TryRead(text, out _, out string? error) ? null : error,
            $"The answer must be JSON that fits this JSON Schema: {schema}",
            identity: type);
    }

    /// <summary>Gets the check. Equal requests with the same type information share answers.</summary>
    public AnswerCheck Check { get; }

    /// <summary>Returns a request with the schema of the type; unchanged if it has a format of its own.</summary>
    /// <exception cref="ArgumentException">The endpoint has no structured answers.</exception>
    public LlmRequest Ask(LlmRequest request)
    {
        (string name, JsonElement format) = request.Endpoint switch
        {
            Endpoints.ChatCompletions => ("response_format", _chatFormat.Value),
            Endpoints.Responses => ("text", _responsesFormat.Value),
            _ => throw new ArgumentException($"A request to {request.Endpoint} has no answer of type {typeof(T).Name}.", nameof(request)),
        };
        if (request.AdditionalParameters is { } own && own.ContainsKey(name))
        {
            return request;
        }

        if (name == "text")
        {
            using JsonDocument nested = JsonDocument.Parse($$"""{"format":{{format.GetRawText()}}}""");
            format = nested.RootElement.Clone();
        }

        return request.WithParameter(name, format);
    }

    /// <summary>Reads the outcome of a request.</summary>
    public TypedAnswer<T> Read(ResponseWrapper<LlmResponse> outcome)
    {
        if (!outcome.IsSuccess)
        {
            return new TypedAnswer<T>(outcome, default);
        }

        string? text = outcome.Response switch
        {
            ChatCompletion chat => chat.Text,
            OtherResponse other => other.Text,
            _ => null,
        };
        return TryRead(text ?? "", out T? value, out string? error)
            ? new TypedAnswer<T>(outcome, value)
            : new TypedAnswer<T>(outcome.WithError(new CheckResult(error, MayBeCorrected: false).ToFailure(outcome.Response)), default);
    }

    private bool TryRead(string text, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? error)
    {
        value = default;
        try
        {
            value = JsonSerializer.Deserialize(Encoding.UTF8.GetBytes(JsonAnswer.Unfenced(text)), _type);
            error = value is null ? "The answer is null." : null;
            return value is not null;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or FormatException)
        {
            error = e.Message;
            return false;
        }
    }
}
