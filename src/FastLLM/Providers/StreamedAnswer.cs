using System.Globalization;
using System.Text.Json;
using FastLLM.Keys;

namespace FastLLM.Providers;

/// <summary>Puts the chunks of a streamed completion together to the body that the server would have sent without a stream.</summary>
internal sealed class StreamedAnswer
{
    /// <summary>More answers to one question are none.</summary>
    private const int MostChoices = 1000;

    private const int MaxDepth = 64;

    [ThreadStatic]
    private static ByteBuffer? t_output;

    private readonly JsonPieces _members = new();
    private readonly List<Choice> _choices = [];
    private long _held;

    /// <summary>How many bytes are kept.</summary>
    public long Held => _held;

    /// <summary>Whether the answer has begun to say something: a text, a thought, a call.</summary>
    public bool Speaks { get; private set; }

    /// <summary>Whether the count of tokens has come by itself, which only the end of a stream brings.</summary>
    public bool IsCounted { get; private set; }

    /// <summary>Whether at least one choice and <paramref name="choices"/> have come, and each says why it ended.</summary>
    public bool IsFinished(int choices) => _choices.Count >= Math.Max(1, choices) && _choices.TrueForAll(static choice => choice.IsFinished);

    /// <summary>Adds a chunk.</summary>
    /// <returns>The error that it tells of instead, as the body of an answer; <see langword="null"/> for none.</returns>
    /// <exception cref="JsonException">The chunk is no JSON object.</exception>
    public byte[]? Add(ReadOnlySpan<byte> chunk)
    {
        // Read to its end before anything is taken from it.
        byte[]? told = ErrorIn(chunk, out bool isChunk);
        if (told is not null || !isChunk)
        {
            return told;
        }

        Utf8JsonReader reader = Open(chunk);
        bool isCounted = false, hasChoices = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("choices"u8))
            {
                reader.Read();
                hasChoices |= AddChoices(ref reader, chunk);
            }
            else if (reader.TextIs("x_groq"u8))
            {
                reader.Read();
                AddGroq(ref reader, chunk);
            }
            else if (reader.TextIs("obfuscation"u8))
            {
                // Padding of the stream.
                reader.Read();
                reader.Skip();
            }
            else
            {
                isCounted |= reader.TextIs("usage"u8);
                Replace(_members, ref reader, chunk);
            }
        }

        IsCounted |= isCounted && !hasChoices && _members.Find("usage"u8) is { } usage && usage.IsWholeObject;
        return null;
    }

    /// <summary>The body.</summary>
    public ReadOnlyMemory<byte> ToBody(bool isChat)
    {
        ByteBuffer output = t_output ?? new ByteBuffer();
        t_output = null;
        output.EnsureFree((int)Math.Min(_held + 512, Array.MaxLength));
        Write(output, isChat);
        ReadOnlyMemory<byte> body = ByteSlab.Answers.Copy(output.Written);
        output.Reset();
        t_output = output;
        return body;
    }

    private static Utf8JsonReader Open(ReadOnlySpan<byte> chunk)
    {
        var reader = new Utf8JsonReader(chunk, new JsonReaderOptions { MaxDepth = MaxDepth });
        return reader.Read() && reader.TokenType == JsonTokenType.StartObject ? reader : throw new JsonException("An event of the stream is JSON, but no object.");
    }

    // Other events may stand between the chunks: a ping, a server's own news.
    private static byte[]? ErrorIn(ReadOnlySpan<byte> chunk, out bool isChunk)
    {
        isChunk = false;
        byte[]? told = null;
        Utf8JsonReader reader = Open(chunk);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isError = reader.TextIs("error"u8), isKind = reader.TextIs("object"u8), isGroq = reader.TextIs("x_groq"u8);
            isChunk |= isGroq || reader.TextIs("choices"u8) || reader.TextIs("usage"u8);
            reader.Read();
            if ((isError && reader.TokenType != JsonTokenType.Null) || (isKind && reader.TokenType == JsonTokenType.String && reader.TextIs("error"u8)))
            {
                told = chunk.ToArray();
            }
            else if (isGroq && reader.TokenType == JsonTokenType.StartObject)
            {
                told ??= GroqError(reader, chunk);
            }

            reader.Skip();
        }

        while (reader.Read())
        {
            // To the end: the reader throws at what follows the object.
        }

        return told;
    }

    private static byte[]? GroqError(Utf8JsonReader groq, ReadOnlySpan<byte> chunk)
    {
        while (groq.Read() && groq.TokenType == JsonTokenType.PropertyName)
        {
            bool isError = groq.TextIs("error"u8);
            groq.Read();
            ReadOnlySpan<byte> value = JsonPieces.ValueOf(ref groq, chunk);
            if (isError && !value.SequenceEqual("null"u8))
            {
                return [.. "{\"error\":"u8, .. value, (byte)'}'];
            }
        }

        return null;
    }

    private void Replace(JsonPieces parent, ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        JsonPieces member = parent.Member(reader.ValueSpan);
        reader.Read();
        member.Replace(JsonPieces.ValueOf(ref reader, json), ref _held);
    }

    // Groq tells usage here, and on its plain answers at the top.
    private void AddGroq(ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        JsonPieces groq = _members.Member("x_groq"u8);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            Replace(reader.TextIs("usage"u8) ? _members : groq, ref reader, chunk);
        }
    }

    private bool AddChoices(ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        bool any = false;
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return any;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            any = true;
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                AddChoice(ChoiceAt(IndexOf(reader)), ref reader, chunk);
            }
            else
            {
                reader.Skip();
            }
        }

        return any;
    }

    private void AddChoice(Choice choice, ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("delta"u8))
            {
                reader.Read();
                choice.Message ??= new JsonPieces();
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    AddDelta(choice.Message, ref reader, chunk);
                }

                reader.Skip();
            }
            else if (reader.TextIs("logprobs"u8) || reader.TextIs("text"u8) || reader.TextIs("token_ids"u8))
            {
                Speaks |= reader.TextIs("text"u8);
                ReadOnlySpan<byte> name = reader.ValueSpan;
                JsonPieces member = choice.Members.Member(name);
                reader.Read();
                member.Add(ref reader, chunk, name, ref _held);
            }
            else
            {
                if (reader.TextIs("finish_reason"u8))
                {
                    Utf8JsonReader ahead = reader;
                    ahead.Read();
                    choice.IsFinished |= ahead.TokenType == JsonTokenType.String;
                }

                Replace(choice.Members, ref reader, chunk);
            }
        }
    }

    private void AddDelta(JsonPieces message, ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = reader.ValueSpan;
            bool isRole = reader.TextIs("role"u8);
            JsonPieces member = message.Member(name);
            reader.Read();
            member.Add(ref reader, chunk, name, ref _held);
            Speaks |= !isRole && member.HasContent;
        }
    }

    private static long IndexOf(Utf8JsonReader choice)
    {
        while (choice.Read() && choice.TokenType == JsonTokenType.PropertyName)
        {
            bool isIndex = choice.TextIs("index"u8);
            choice.Read();
            if (isIndex && choice.TokenType == JsonTokenType.Number && choice.TryGetInt64(out long index))
            {
                return index;
            }

            choice.Skip();
        }

        return 0;
    }

    private Choice ChoiceAt(long index)
    {
        foreach (Choice choice in _choices)
        {
            if (choice.Index == index)
            {
                return choice;
            }
        }

        if (_choices.Count == MostChoices)
        {
            throw new JsonException($"The answer has more than {MostChoices} choices.");
        }

        var made = new Choice(index);
        _choices.Add(made);
        return made;
    }

    private void Write(ByteBuffer output, bool isChat)
    {
        output.Append((byte)'{');
        bool hasKind = false, hasChoices = false;
        foreach ((byte[] name, JsonPieces value) in _members.Members)
        {
            ReadOnlySpan<byte> named = name;
            hasKind |= named.SequenceEqual("object"u8);
            if (!hasChoices && !IsOfTheHead(named))
            {
                // Where they stand in a plain answer: behind its head.
                WriteChoices(output);
                hasChoices = true;
            }

            JsonPieces.WriteName(output, named);
            if (value.Is("\"chat.completion.chunk\""u8))
            {
                output.Append("\"chat.completion\""u8);
            }
            else
            {
                value.WriteTo(output);
            }
        }

        if (!hasKind && isChat)
        {
            JsonPieces.WriteName(output, "object"u8);
            output.Append("\"chat.completion\""u8);
        }

        if (!hasChoices)
        {
            WriteChoices(output);
        }

        output.Append((byte)'}');
    }

    private static bool IsOfTheHead(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("id"u8) || name.SequenceEqual("object"u8) || name.SequenceEqual("created"u8) || name.SequenceEqual("model"u8);

    private void WriteChoices(ByteBuffer output)
    {
        JsonPieces.WriteName(output, "choices"u8);
        output.Append((byte)'[');
        _choices.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        foreach (Choice choice in _choices)
        {
            JsonPieces.Separate(output, '[');
            choice.WriteTo(output);
        }

        output.Append((byte)']');
    }

    private sealed class Choice(long index)
    {
        private const int IndexBytes = 20;

        public long Index { get; } = index;

        /// <summary>What the chunks say of the choice itself.</summary>
        public JsonPieces Members { get; } = new();

        /// <summary>What the chunks' deltas add up to.</summary>
        public JsonPieces? Message { get; set; }

        public bool IsFinished { get; set; }

        public void WriteTo(ByteBuffer output)
        {
            output.Append("{\"index\":"u8);
            Index.TryFormat(output.Append(IndexBytes), out int written, default, CultureInfo.InvariantCulture);
            output.Truncate(output.Length - IndexBytes + written);
            if (Message is not null)
            {
                JsonPieces.WriteName(output, "message"u8);
                WriteMessage(Message, output);
            }

            foreach ((byte[] name, JsonPieces value) in Members.Members)
            {
                // Some servers repeat the whole message beside each delta.
                ReadOnlySpan<byte> named = name;
                if (!named.SequenceEqual("index"u8) && (Message is null || !named.SequenceEqual("message"u8)))
                {
                    JsonPieces.WriteName(output, name);
                    value.WriteTo(output);
                }
            }

            output.Append((byte)'}');
        }

        private static void WriteMessage(JsonPieces message, ByteBuffer output)
        {
            bool hasRole = false, hasContent = false;
            bool saysOtherwise = Has(message, "tool_calls"u8) || Has(message, "refusal"u8) || Has(message, "function_call"u8) || Has(message, "audio"u8);
            output.Append((byte)'{');
            foreach ((byte[] name, JsonPieces value) in message.Members)
            {
                ReadOnlySpan<byte> named = name;
                bool isContent = named.SequenceEqual("content"u8);
                hasRole |= named.SequenceEqual("role"u8);
                hasContent |= isContent;
                JsonPieces.WriteName(output, name);
                if (isContent && saysOtherwise && value.IsEmptyText)
                {
                    // Streams begin with an empty text, whatever follows.
                    output.Append("null"u8);
                }
                else if (named.SequenceEqual("tool_calls"u8) && value.Elements.Count > 0)
                {
                    value.WriteElements(output, withoutIndex: true);
                }
                else
                {
                    value.WriteTo(output);
                }
            }

            if (!hasRole)
            {
                JsonPieces.WriteName(output, "role"u8);
                output.Append("\"assistant\""u8);
            }

            if (!hasContent)
            {
                JsonPieces.WriteName(output, "content"u8);
                output.Append("null"u8);
            }

            output.Append((byte)'}');
        }

        private static bool Has(JsonPieces message, ReadOnlySpan<byte> name) => message.Find(name) is { HasContent: true };
    }
}
