using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Represents what the engine needs to know of a response's body, read in one pass without allocations.</summary>
/// <remarks>The rest of the body is read only on demand.</remarks>
internal struct BodyScan
{
    /// <summary>How deep a body may be nested.</summary>
    public const int MaxDepth = 64;

    // The longest tokens of the usual vocabularies are 128 blanks or hyphens. What is around a text is about 256 bytes.
    private const long LongestToken = 128;
    private const long Envelope = 256;

    /// <summary>Whether the body has choices with a message, a text or a finish reason (a chat or text completion; a filtered one may have
    /// no message).</summary>
    public bool HasChoices;

    /// <summary>Whether the body has a <c>data</c> array with embeddings.</summary>
    public bool HasEmbeddings;

    /// <summary>Whether each of them has numbers, or base64 of them.</summary>
    public bool HasVectors;

    /// <summary>Whether the body has a top-level <c>error</c> that is not null, or is an error object itself.</summary>
    public bool HasError;

    /// <summary>Whether every choice has a finish reason.</summary>
    public bool AllFinished;

    /// <summary>Whether a finish reason says that the server gave up (<c>error</c>, <c>insufficient_system_resource</c>).</summary>
    public bool GaveUp;

    /// <summary>Whether the <c>status</c> of a responses object says that it has ended.</summary>
    public bool StatusEnded;

    /// <summary>Whether the <c>status</c> of a responses object says that it failed.</summary>
    public bool StatusFailed;

    /// <summary>The token usage.</summary>
    public UsageScan Usage;

    /// <summary>Reads the body.</summary>
    /// <exception cref="JsonException">The body is not one complete JSON object.</exception>
    public static BodyScan Read(ReadOnlySpan<byte> body)
    {
        var scan = default(BodyScan);
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("The body is JSON, but no object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            scan.ReadMember(ref reader);
        }

        while (reader.Read())
        {
            // To the end: the reader throws at what follows the object.
        }

        scan.Usage.IsUnclear |= scan.Usage.IsThere && scan.IsUsageTooLittle(body);
        return scan;
    }

    // The answer is read once more only where it may be longer. A response that has ended always has an output.
    private readonly bool IsUsageTooLittle(ReadOnlySpan<byte> body)
    {
        long output = Math.Max(Usage.CompletionTokens, Usage.TotalTokens - Usage.PromptTokens);
        long most = Math.Max(output, 0) * LongestToken;
        return (StatusEnded && most == 0)
            || ((HasChoices || StatusEnded) && (most == 0 || body.Length > most + Envelope) && AnswerLength.Read(body) > most);
    }

    private void ReadMember(ref Utf8JsonReader reader)
    {
        if (reader.TextIs("choices"u8))
        {
            reader.Read();
            ReadChoices(ref reader);
        }
        else if (reader.TextIs("usage"u8))
        {
            reader.Read();
            Usage.Read(ref reader);
        }
        else if (reader.TextIs("data"u8))
        {
            reader.Read();
            ReadData(ref reader);
        }
        else if (reader.TextIs("error"u8))
        {
            reader.Read();
            HasError |= reader.TokenType != JsonTokenType.Null;
            reader.Skip();
        }
        else if (reader.TextIs("object"u8))
        {
            reader.Read();
            HasError |= reader.TokenType == JsonTokenType.String && reader.TextIs("error"u8);
            reader.Skip();
        }
        else if (reader.TextIs("status"u8))
        {
            reader.Read();
            StatusEnded = reader.TokenType == JsonTokenType.String && (reader.TextIs("completed"u8) || reader.TextIs("incomplete"u8));
            StatusFailed = reader.TokenType == JsonTokenType.String && (reader.TextIs("failed"u8) || reader.TextIs("cancelled"u8));
            reader.Skip();
        }
        else
        {
            reader.Read();
            reader.Skip();
        }
    }

    private void ReadChoices(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        AllFinished = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            bool finished = false;
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    if (reader.TextIs("finish_reason"u8))
                    {
                        reader.Read();
                        finished = reader.TokenType == JsonTokenType.String;
                        HasChoices |= finished;
                        GaveUp |= finished && (reader.TextIs("error"u8) || reader.TextIs("insufficient_system_resource"u8));
                    }
                    else
                    {
                        HasChoices |= reader.TextIs("message"u8) || reader.TextIs("text"u8);
                        reader.Read();
                    }

                    reader.Skip();
                }
            }
            else
            {
                reader.Skip();
            }

            AllFinished &= finished;
        }
    }

    private void ReadData(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }

        bool areVectors = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            areVectors &= ReadDatum(ref reader);
        }

        HasVectors = HasEmbeddings && areVectors;
    }

    // Returns whether it is an embedding with a vector.
    private bool ReadDatum(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }

        bool isVector = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isEmbedding = reader.TextIs("embedding"u8);
            reader.Read();
            HasEmbeddings |= isEmbedding;
            isVector |= isEmbedding && IsVector(reader);
            reader.Skip();
        }

        return isVector;
    }

    // A text is base64. The reader is a copy: the caller reads on.
    private static bool IsVector(Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartArray => reader.Read() && reader.TokenType != JsonTokenType.EndArray,
        JsonTokenType.String => !reader.TextIs(""u8),
        _ => false,
    };
}
