using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Assembles the chunks of a streamed completion to the body of a completion without streaming.</summary>
internal sealed class CompletionAssembler
{
    /// <summary>The maximum number of choices.</summary>
    private const int MaxChoices = 1000;

    [ThreadStatic]
    private static ByteBuffer? t_output;

    private readonly JsonAccumulator _members = new();
    private readonly List<StreamedChoice> _choices = [];
    private long _held;
    private readonly StreamedUsage _usage = new();
    private bool _hasText;

    /// <summary>Gets the number of kept bytes.</summary>
    public long Held => _held;

    /// <summary>Gets whether content has arrived: text, reasoning, a call.</summary>
    public bool Speaks { get; private set; }

    /// <summary>Gets whether the token usage has arrived in a chunk of its own, which ends a stream.</summary>
    public bool IsCounted { get; private set; }

    /// <summary>Gets whether the last event brought anything new; pings and empty chunks keep the connection alive.</summary>
    public bool IsProgress { get; private set; }

    /// <summary>Returns whether at least one choice, and <paramref name="choices"/>, have arrived, each with a finish reason.</summary>
    public bool IsFinished(int choices) =>
        _choices.Count >= Math.Max(1, choices) && _choices.TrueForAll(static choice => choice.IsFinished);

    /// <summary>Adds a chunk.</summary>
    /// <returns>The error, as the body of a response; <see langword="null"/> if there is none.</returns>
    /// <exception cref="JsonException">The chunk is not a JSON object.</exception>
    public byte[]? Add(ReadOnlySpan<byte> chunk)
    {
        // The whole chunk is read before any of it is used.
        byte[]? told = ChunkError.In(chunk, out bool isChunk);
        IsProgress = false;
        if (told is not null || !isChunk)
        {
            return told;
        }

        Utf8JsonReader reader = ChunkError.Open(chunk);
        bool isCounted = false, hasChoices = false;
        _hasText = false;
        long before = _held;
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
            else if (reader.TextIs("usage"u8))
            {
                isCounted = true;
                AddUsage(ref reader, chunk);
            }
            else if (reader.TextIs("obfuscation"u8))
            {
                // Padding of the stream.
                reader.Read();
                reader.Skip();
            }
            else
            {
                Replace(_members, ref reader, chunk);
            }
        }

        IsCounted |= isCounted && !hasChoices && _members.Find("usage"u8) is { IsObject: true };
        _usage.EndChunk(_hasText);
        IsProgress = _held != before;
        return null;
    }

    /// <summary>Gets the body.</summary>
    public ReadOnlyMemory<byte> ToBody(bool isChat)
    {
        ByteBuffer output = t_output ?? new ByteBuffer();
        t_output = null;
        output.EnsureFree((int)Math.Min(_held + 512, Array.MaxLength));
        Write(output, isChat);
        ReadOnlyMemory<byte> body = ChunkedAllocator.Answers.Copy(output.Written);
        output.Reset();
        t_output = output;
        return body;
    }

    private void Replace(JsonAccumulator parent, ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        JsonAccumulator member = parent.Member(reader.ValueSpan);
        reader.Read();
        member.Replace(JsonAccumulator.ValueOf(ref reader, json), ref _held);
    }

    // Groq sends usage here; in responses without streaming it is at the top.
    private void AddGroq(ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        JsonAccumulator groq = _members.Member("x_groq"u8);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("usage"u8))
            {
                AddUsage(ref reader, chunk);
            }
            else
            {
                Replace(groq, ref reader, chunk);
            }
        }
    }

    private void AddUsage(ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        reader.Read();
        _usage.Add(_members.Member("usage"u8), ref reader, chunk, ref _held);
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
                AddChoice(ChoiceAt(StreamedChoice.IndexOf(reader)), ref reader, chunk);
            }
            else
            {
                reader.Skip();
            }
        }

        return any;
    }

    private void AddChoice(StreamedChoice choice, ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("delta"u8))
            {
                reader.Read();
                choice.Message ??= new JsonAccumulator();
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    AddDelta(choice.Message, ref reader, chunk);
                }

                reader.Skip();
            }
            else if (reader.TextIs("logprobs"u8) || reader.TextIs("text"u8) || reader.TextIs("token_ids"u8))
            {
                bool isText = reader.TextIs("text"u8);
                Speaks |= isText;
                ReadOnlySpan<byte> name = reader.ValueSpan;
                JsonAccumulator member = choice.Members.Member(name);
                reader.Read();
                long before = _held;
                member.Add(ref reader, chunk, name, ref _held);
                _hasText |= isText && _held > before;
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

    private void AddDelta(JsonAccumulator message, ref Utf8JsonReader reader, ReadOnlySpan<byte> chunk)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> name = reader.ValueSpan;
            bool isRole = reader.TextIs("role"u8);
            JsonAccumulator member = message.Member(name);
            reader.Read();
            bool isContent = !isRole && reader.TokenType is not (JsonTokenType.True or JsonTokenType.False or JsonTokenType.Number);
            long before = _held;
            member.Add(ref reader, chunk, name, ref _held);
            Speaks |= !isRole && member.HasContent;
            _hasText |= isContent && _held > before;
        }
    }

    private StreamedChoice ChoiceAt(long index)
    {
        foreach (StreamedChoice choice in _choices)
        {
            if (choice.Index == index)
            {
                return choice;
            }
        }

        if (_choices.Count == MaxChoices)
        {
            throw new JsonException($"The answer has more than {MaxChoices} choices.");
        }

        var made = new StreamedChoice(index);
        _choices.Add(made);
        return made;
    }

    private void Write(ByteBuffer output, bool isChat)
    {
        output.Append((byte)'{');
        bool hasKind = false, hasChoices = false;
        foreach ((byte[] name, JsonAccumulator value) in _members.Members)
        {
            ReadOnlySpan<byte> named = name;
            if (named.SequenceEqual("usage"u8) && !_usage.IsOfAll)
            {
                continue;
            }

            hasKind |= named.SequenceEqual("object"u8);
            if (!hasChoices && !IsOfTheHead(named))
            {
                // After the head, as in a response without streaming.
                WriteChoices(output);
                hasChoices = true;
            }

            output.AppendName(named);
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
            output.AppendName("object"u8);
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
        output.AppendName("choices"u8);
        output.Append((byte)'[');
        _choices.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        foreach (StreamedChoice choice in _choices)
        {
            output.Separate('[');
            choice.WriteTo(output);
        }

        output.Append((byte)']');
    }
}
