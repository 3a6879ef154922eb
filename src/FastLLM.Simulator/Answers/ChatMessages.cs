using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>The messages of a chat completion request: their length, and the last one of the user.</summary>
internal ref struct ChatMessages(ReadOnlySpan<byte> body)
{
    private readonly ReadOnlySpan<byte> _body = body;
    private ReadOnlySpan<byte> _lastUser; // the content as it stands: a string with its quotes, an array of parts, or nothing

    /// <summary>The length of the last user message's text, in bytes of UTF-8.</summary>
    public long LastUserBytes { get; private set; }

    /// <summary>The content of the last message if it is the user's, as it is in the request; otherwise nothing.</summary>
    public ReadOnlySpan<byte> Final { get; private set; }

    /// <summary>The length of all texts, in bytes of UTF-8.</summary>
    public long Bytes { get; private set; }

    /// <summary>Reads the array that the reader stands on.</summary>
    /// <returns>What is wrong with it, if anything.</returns>
    public Problem? Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return Problem.Invalid("messages", "an array of messages");
        }

        Problem? problem = null;
        int count = 0;
        _lastUser = default;
        LastUserBytes = Bytes = 0;
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

    /// <summary>Writes the text of the last user message, escaped as it is in the request.</summary>
    public readonly void WriteLastUser(JsonOut output)
    {
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

        Bytes += bytes;
        Final = isUser ? content : default;
        if (isUser)
        {
            _lastUser = content;
            LastUserBytes = bytes;
        }

        return problem;
    }

    /// <summary>Reads an array of content parts to its end, and writes their texts where asked.</summary>
    /// <returns>The length of the texts.</returns>
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
}
