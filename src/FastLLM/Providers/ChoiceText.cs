using System.Text.Json;

namespace FastLLM.Providers;

/// <summary>Reads the text of the first choice straight from the bytes: it is what most callers want, and nothing else.</summary>
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
