using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Finds errors that arrive as events of a stream.</summary>
internal static class ChunkError
{
    private const int MaxDepth = 64;

    /// <summary>Reads a whole chunk, before any of it is used.</summary>
    /// <param name="chunk">The data of an event.</param>
    /// <param name="isChunk">Whether the event is a chunk; other events, such as pings, may arrive between the chunks.</param>
    /// <returns>The error, as the body of a response; <see langword="null"/> if there is none.</returns>
    /// <exception cref="JsonException">The data is not a JSON object.</exception>
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
            if ((isError && reader.TokenType != JsonTokenType.Null)
                || (isKind && reader.TokenType == JsonTokenType.String && reader.TextIs("error"u8)))
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

    /// <summary>Gets a reader before the first member.</summary>
    /// <exception cref="JsonException">The data is not a JSON object.</exception>
    public static Utf8JsonReader Open(ReadOnlySpan<byte> chunk)
    {
        var reader = new Utf8JsonReader(chunk, new JsonReaderOptions { MaxDepth = MaxDepth });
        return reader.Read() && reader.TokenType == JsonTokenType.StartObject ? reader
            : throw new JsonException("An event of the stream is JSON, but no object.");
    }
}
