using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Reads text and finish reason of the first choice straight from the bytes: they are what most callers want, and nothing else.</summary>
internal static class ChoiceText
{
    /// <summary>Reads <c>choices[0].message.content</c>, or <c>choices[0].text</c>.</summary>
    /// <returns>Whether it was found as a plain text; if not, the slow way has to look.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, out string? text)
    {
        text = null;
        var reader = new Utf8JsonReader(body);
        return TryEnter(ref reader, "choices"u8, JsonTokenType.StartArray)
            && reader.Read() && reader.TokenType == JsonTokenType.StartObject
            && TryFindText(ref reader, ref text);
    }

    /// <summary>Reads <c>choices[0].finish_reason</c>.</summary>
    /// <returns>Whether it was found as a plain text; if not, the slow way has to look.</returns>
    public static bool TryReadFinishReason(ReadOnlySpan<byte> body, out string? reason)
    {
        reason = null;
        var reader = new Utf8JsonReader(body);
        if (!TryEnter(ref reader, "choices"u8, JsonTokenType.StartArray) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool found = reader.TextIs("finish_reason"u8);
            reader.Read();
            if (found)
            {
                return TryGetKnown(ref reader, ref reason) || TryGetText(ref reader, ref reason);
            }

            reader.Skip();
        }

        return false;
    }

    // The usual reasons cost no text of their own.
    private static bool TryGetKnown(ref Utf8JsonReader reader, ref string? reason)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            reason = reader switch
            {
                _ when reader.TextIs("stop"u8) => "stop",
                _ when reader.TextIs("length"u8) => "length",
                _ when reader.TextIs("tool_calls"u8) => "tool_calls",
                _ when reader.TextIs("content_filter"u8) => "content_filter",
                _ => null,
            };
        }

        return reason is not null;
    }

    private static bool TryEnter(ref Utf8JsonReader reader, ReadOnlySpan<byte> name, JsonTokenType kind)
    {
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool found = reader.TextIs(name);
            reader.Read();
            if (found)
            {
                return reader.TokenType == kind;
            }

            reader.Skip();
        }

        return false;
    }

    private static bool TryFindText(ref Utf8JsonReader reader, ref string? text)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isMessage = reader.TextIs("message"u8);
            bool isText = reader.TextIs("text"u8) || reader.TextIs("content"u8);
            reader.Read();
            if (isMessage)
            {
                return reader.TokenType == JsonTokenType.StartObject && TryFindText(ref reader, ref text);
            }

            if (isText)
            {
                return TryGetText(ref reader, ref text);
            }

            reader.Skip();
        }

        return false;
    }

    private static bool TryGetText(ref Utf8JsonReader reader, ref string? text)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            return false;
        }

        try
        {
            text = reader.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair: the slow way keeps the rest of the text.
            return false;
        }
    }
}
