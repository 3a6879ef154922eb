using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Tells a chunk of a stream from an error that comes as an event among the chunks.</summary>
internal static class ChunkError
{
    private const int MaxDepth = 64;

    /// <summary>Reads a chunk to its end, before anything is taken from it.</summary>
    /// <param name="chunk">The data of an event.</param>
    /// <param name="isChunk">Whether it is one: other events may stand between the chunks, a ping, a server's own news.</param>
    /// <returns>The error that it tells of, as the body of an answer; <see langword="null"/> for none.</returns>
    /// <exception cref="JsonException">It is no JSON object.</exception>
    public static byte[]? In(ReadOnlySpan<byte> chunk, out bool isChunk)
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
            ReadOnlySpan<byte> value = JsonAccumulator.ValueOf(ref groq, chunk);
            if (isError && !value.SequenceEqual("null"u8))
            {
                return [.. "{\"error\":"u8, .. value, (byte)'}'];
            }
        }

        return null;
    }

    /// <summary>A reader in front of the first member.</summary>
    /// <exception cref="JsonException">It is no JSON object.</exception>
    public static Utf8JsonReader Open(ReadOnlySpan<byte> chunk)
    {
        var reader = new Utf8JsonReader(chunk, new JsonReaderOptions { MaxDepth = MaxDepth });
        return reader.Read() && reader.TokenType == JsonTokenType.StartObject ? reader : throw new JsonException("An event of the stream is JSON, but no object.");
    }
}
