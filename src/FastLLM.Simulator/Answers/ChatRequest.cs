using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>A chat completion request as the simulator reads it: one pass over its bytes, and nothing decoded without need.</summary>
internal ref struct ChatRequest
{
    private const int MaxChoices = 128;

    private readonly ReadOnlySpan<byte> _body;
    private ChatMessages _messages;
    private ChatTools _tools;

    private ChatRequest(ReadOnlySpan<byte> body)
    {
        _body = body;
        _messages = new ChatMessages(body);
        _tools = new ChatTools(body);
    }

    /// <summary>The model, escaped and without quotes.</summary>
    public ReadOnlySpan<byte> Model { get; private set; }

    public readonly ChatMessages Messages => _messages;

    public readonly ChatTools Tools => _tools;

    public long MaxTokens { get; private set; }

    public int Choices { get; private set; }

    public bool Stream { get; private set; }

    public bool IncludeUsage { get; private set; }

    /// <summary>Whether the answer shows its reasoning: <c>reasoning_effort</c> is set, and not to <c>none</c>.</summary>
    public bool Reasons { get; private set; }

    public bool Logprobs { get; private set; }

    /// <summary>The value of <c>response_format</c>, if it is an object.</summary>
    public ReadOnlySpan<byte> Format { get; private set; }

    /// <returns>What is wrong with the request, if anything.</returns>
    public static Problem? Read(ReadOnlySpan<byte> body, out ChatRequest request)
    {
        request = new ChatRequest(body);
        return request.Read();
    }

    private Problem? Read()
    {
        bool hasModel = false, hasMessages = false;
        long? maxTokens = null, maxCompletionTokens = null, choices = null;
        Problem? problem = null;

        Utf8JsonReader reader = RequestJson.Reader(_body);
        if (!RequestJson.EnterObject(ref reader))
        {
            return Problem.BrokenJson;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("messages"u8))
            {
                reader.Read();
                hasMessages = true;
                problem ??= _messages.Read(ref reader);
            }
            else if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                hasModel = reader.TokenType == JsonTokenType.String;
                Model = hasModel ? reader.ValueSpan : default;
            }
            else if (reader.ValueTextEquals("max_completion_tokens"u8))
            {
                problem ??= RequestJson.ReadInteger(ref reader, "max_completion_tokens", 1, long.MaxValue, out maxCompletionTokens);
            }
            else if (reader.ValueTextEquals("max_tokens"u8))
            {
                problem ??= RequestJson.ReadInteger(ref reader, "max_tokens", 1, long.MaxValue, out maxTokens);
            }
            else if (reader.ValueTextEquals("n"u8))
            {
                problem ??= RequestJson.ReadInteger(ref reader, "n", 1, MaxChoices, out choices);
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                reader.Read();
                Stream = reader.TokenType == JsonTokenType.True;
            }
            else if (reader.ValueTextEquals("stream_options"u8))
            {
                ReadStreamOptions(ref reader);
            }
            else if (reader.ValueTextEquals("reasoning_effort"u8))
            {
                reader.Read();
                Reasons = reader.TokenType == JsonTokenType.String && !reader.ValueTextEquals("none"u8);
            }
            else if (reader.ValueTextEquals("logprobs"u8))
            {
                reader.Read();
                Logprobs = reader.TokenType == JsonTokenType.True;
            }
            else if (reader.ValueTextEquals("response_format"u8))
            {
                reader.Read();
                int start = (int)reader.TokenStartIndex;
                bool isObject = reader.TokenType == JsonTokenType.StartObject;
                reader.Skip();
                Format = isObject ? _body[start..(int)reader.BytesConsumed] : default;
            }
            else
            {
                _tools.TryRead(ref reader);
            }

            // On to the member's end. A wrong type is reported only once the JSON as a whole is known to be good.
            reader.Skip();
        }

        reader.Read(); // throws on anything after the object

        _tools.Mention(_messages.Final);
        MaxTokens = maxCompletionTokens ?? maxTokens ?? long.MaxValue;
        Choices = (int)(choices ?? 1);
        return !hasModel ? Problem.Missing("model") : !hasMessages ? Problem.Missing("messages") : problem;
    }

    private void ReadStreamOptions(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isUsage = reader.ValueTextEquals("include_usage"u8);
            reader.Read();
            IncludeUsage = isUsage ? reader.TokenType == JsonTokenType.True : IncludeUsage;
            reader.Skip();
        }
    }
}
