using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Reads a chat completion request and writes its answer, whole or as a stream of events: one pass over the request's bytes, nothing decoded that need not be.</summary>
internal ref partial struct ChatAnswer
{
    private const int MaxChoices = 128;
    private const int PrefixLength = 17; // "Answer 01234567: "

    private readonly ReadOnlySpan<byte> _body;
    private ReadOnlySpan<byte> _model; // escaped, without quotes
    private ReadOnlySpan<byte> _lastUser; // the content as it stands: a string with its quotes, an array of parts, or nothing
    private long _lastUserBytes;
    private long _promptBytes;
    private long _maxTokens = long.MaxValue;
    private int _choices = 1;
    private bool _stream;
    private bool _includeUsage;
    private ReadOnlySpan<byte> _tools; // as they stand in the request
    private ReadOnlySpan<byte> _namedTool; // escaped, without quotes
    private bool _toolsRequired;
    private bool _reasons;
    private bool _logprobs;

    private ChatAnswer(ReadOnlySpan<byte> body) => _body = body;

    /// <returns>What is wrong with the request; <see langword="null"/> when the answer is written.</returns>
    public static Problem? Write(ReadOnlySpan<byte> body, BodyHash hash, JsonOut output, bool streams, out AnswerFacts facts)
    {
        var answer = new ChatAnswer(body);
        Problem? problem = answer.Read();
        facts = default;
        if (problem is null)
        {
            facts = streams && answer._stream ? answer.WriteStream(hash, output) : answer.Write(hash, output);
        }

        return problem;
    }

    private Problem? Read()
    {
        bool hasModel = false, hasMessages = false;
        long? maxTokens = null, maxCompletionTokens = null;
        long? choices = null;
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
                problem ??= ReadMessages(ref reader);
            }
            else if (reader.ValueTextEquals("model"u8))
            {
                reader.Read();
                hasModel = reader.TokenType == JsonTokenType.String;
                _model = hasModel ? reader.ValueSpan : default;
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
                _stream = reader.TokenType == JsonTokenType.True;
            }
            else if (reader.ValueTextEquals("stream_options"u8))
            {
                ReadStreamOptions(ref reader);
            }
            else
            {
                TryReadPart(ref reader);
            }

            // Whatever the member was: on to its end. A wrong type is reported only once the JSON as a whole is known to be good.
            reader.Skip();
        }

        reader.Read(); // throws on anything after the object

        _maxTokens = maxCompletionTokens ?? maxTokens ?? long.MaxValue;
        _choices = (int)(choices ?? 1);
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
            _includeUsage = isUsage ? reader.TokenType == JsonTokenType.True : _includeUsage;
            reader.Skip();
        }
    }

    private Problem? ReadMessages(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return Problem.Invalid("messages", "an array of messages");
        }

        Problem? problem = null;
        int count = 0;
        _lastUser = default;
        _lastUserBytes = _promptBytes = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                problem ??= ReadMessage(ref reader);
            }
            else
            {
                problem ??= Problem.Invalid("messages", "an array of objects");
                reader.Skip();
            }

            count++;
        }

        return count == 0 ? Problem.Invalid("messages", "at least one message") : problem;
    }

    private Problem? ReadMessage(ref Utf8JsonReader reader)
    {
        Problem? problem = null;
        bool hasRole = false, isUser = false;
        ReadOnlySpan<byte> content = default;
        long bytes = 0;
        int depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.ValueTextEquals("role"u8))
            {
                reader.Read();
                hasRole = reader.TokenType == JsonTokenType.String;
                isUser = hasRole && reader.ValueTextEquals("user"u8);
                reader.Skip();
            }
            else if (reader.ValueTextEquals("content"u8))
            {
                reader.Read();
                int start = (int)reader.TokenStartIndex;
                bytes = 0;
                switch (reader.TokenType)
                {
                    case JsonTokenType.String:
                        bytes = reader.ValueIsEscaped ? JsonText.DecodedLength(reader.ValueSpan) : reader.ValueSpan.Length;
                        break;
                    case JsonTokenType.StartArray:
                        bytes = ReadParts(ref reader, null);
                        break;
                    case JsonTokenType.Null:
                        break;
                    default:
                        problem = Problem.Invalid("messages.content", "a string or an array of parts");
                        reader.Skip();
                        break;
                }

                content = _body[start..(int)reader.BytesConsumed];
            }
            else
            {
                reader.Skip();
            }
        }

        if (!hasRole)
        {
            problem ??= Problem.Missing("messages.role");
        }

        _promptBytes += bytes;
        if (isUser)
        {
            _lastUser = content;
            _lastUserBytes = bytes;
        }

        return problem;
    }

    /// <summary>Reads an array of content parts to its end; gives the length of their texts and, where asked, the texts themselves.</summary>
    private static long ReadParts(ref Utf8JsonReader reader, JsonOut? output)
    {
        long bytes = 0;
        int depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            // Only members of the parts themselves, and not what is nested in these.
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == depth + 2)
            {
                if (reader.ValueTextEquals("text"u8))
                {
                    reader.Read();
                    if (reader.TokenType == JsonTokenType.String)
                    {
                        bytes += JsonText.DecodedLength(reader.ValueSpan);
                        output?.Raw(reader.ValueSpan);
                    }
                }

                reader.Skip();
            }
        }

        return bytes;
    }

    private readonly AnswerFacts Write(BodyHash hash, JsonOut output)
    {
        long tokens = TokensPerChoice(out bool cut);

        output.Open('{');
        WriteHead(hash, "chat.completion"u8, output);
        output.Name("choices"u8);
        output.Open('[');
        for (int i = 0; i < _choices; i++)
        {
            output.Next();
            output.Open('{');
            output.Name("index"u8);
            output.Number(i);
            output.Name("message"u8);
            output.Open('{');
            output.Name("role"u8);
            output.String("assistant"u8);
            output.Name("content"u8);
            (int at, int end) text = WriteTextOrNull(hash, i, cut, asRefusal: false, output);
            output.Name("refusal"u8);
            WriteTextOrNull(hash, i, cut, asRefusal: true, output);
            WriteParts(hash, i, cut, output);
            output.Close('}');
            WriteLogprobs(hash, i, text, PieceBytes(tokens), output);
            output.Name("finish_reason"u8);
            output.String(FinishReason(cut));
            output.Close('}');
        }

        output.Close(']');
        WriteUsage(tokens, output);
        output.Name("service_tier"u8);
        output.String("default"u8);
        output.Close('}');
        return Facts(tokens);
    }

    private readonly long TokensPerChoice(out bool cut)
    {
        long tokens = Tokens(PrefixLength + _lastUserBytes);
        cut = tokens > _maxTokens;
        return Math.Min(tokens, _maxTokens);
    }

    private readonly AnswerFacts Facts(long tokensPerChoice)
    {
        long allowed = _maxTokens == long.MaxValue ? tokensPerChoice : Math.Min(_maxTokens, long.MaxValue / 2 / _choices);
        return new AnswerFacts(Tokens(_promptBytes) + (allowed * _choices), (tokensPerChoice + ReasoningTokens) * _choices);
    }

    private readonly void WriteHead(BodyHash hash, ReadOnlySpan<byte> kind, JsonOut output)
    {
        output.Name("id"u8);
        output.Raw("\"chatcmpl-"u8);
        output.Hex(hash.High, 16);
        output.Hex(hash.Low, 16);
        output.Raw((byte)'"');
        output.Name("object"u8);
        output.String(kind);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        output.Name("model"u8);
        output.String(_model);
    }

    private readonly void WriteUsage(long tokens, JsonOut output)
    {
        long promptTokens = Tokens(_promptBytes);
        output.Name("usage"u8);
        output.Open('{');
        output.Name("prompt_tokens"u8);
        output.Number(promptTokens);
        output.Name("completion_tokens"u8);
        output.Number((tokens + ReasoningTokens) * _choices);
        output.Name("total_tokens"u8);
        output.Number(promptTokens + ((tokens + ReasoningTokens) * _choices));
        output.Name("prompt_tokens_details"u8);
        output.Open('{');
        output.Name("cached_tokens"u8);
        output.Number(0);
        output.Close('}');
        output.Name("completion_tokens_details"u8);
        output.Open('{');
        output.Name("reasoning_tokens"u8);
        output.Number(ReasoningTokens * _choices);
        output.Close('}');
        output.Close('}');
    }

    // The text is the content or the refusal; where tools are called, neither.
    private readonly (int At, int End) WriteTextOrNull(BodyHash hash, int choice, bool cut, bool asRefusal, JsonOut output)
    {
        if (asRefusal != Refuses || Calls > 0)
        {
            output.Raw("null"u8);
            return default;
        }

        output.Raw((byte)'"');
        int at = output.Length;
        WriteText(hash, choice, cut, output);
        int end = output.Length;
        output.Raw((byte)'"');
        return (at, end);
    }

    private readonly void WriteText(BodyHash hash, int choice, bool cut, JsonOut output)
    {
        int start = output.Length;
        output.Raw("Answer "u8);
        output.Hex((choice == 0 ? hash.High : hash.Draw((ulong)choice)) >> 32, 8);
        output.Raw(": "u8);
        if (_lastUser is [(byte)'"', .. ReadOnlySpan<byte> text, (byte)'"'])
        {
            output.Raw(text);
        }
        else if (_lastUser is [(byte)'[', ..])
        {
            Utf8JsonReader parts = RequestJson.Reader(_lastUser);
            parts.Read();
            ReadParts(ref parts, output);
        }

        if (cut)
        {
            output.Length = start + JsonText.Cut(output.From(start), _maxTokens * RequestJson.BytesPerToken);
        }
    }

    private static long Tokens(long bytes) => RequestJson.Tokens(bytes);
}
