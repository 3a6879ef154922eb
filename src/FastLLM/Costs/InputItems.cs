using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Costs;

/// <summary>Finds in the <c>input</c> of a request what has no known number of tokens.</summary>
internal static class InputItems
{
    /// <summary>Reads the input of <c>/v1/responses</c>.</summary>
    /// <param name="reader">Stands at the first token of the input. It is a copy: the caller reads the input once more.</param>
    /// <returns>What an item refers to instead of containing it, or <see langword="null"/>.</returns>
    public static string? FindReference(Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return null;
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject && IsReference(ref reader))
            {
                return "an item that the provider keeps";
            }

            reader.Skip();
        }

        return null;
    }

    /// <summary>Reads the input of <c>/v1/embeddings</c> to its end: some models embed pictures and films too, whatever the length of
    /// their addresses.</summary>
    /// <returns>What is no text, or <see langword="null"/>.</returns>
    public static string? FindOther(ref Utf8JsonReader reader)
    {
        bool hasObject = reader.TokenType == JsonTokenType.StartObject;
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                hasObject |= reader.TokenType == JsonTokenType.StartObject;
                reader.Skip();
            }
        }

        reader.Skip();
        return hasObject ? "an input that is no text" : null;
    }

    // The type of a reference is optional: without it, an item that has an id and nothing else is one.
    private static bool IsReference(ref Utf8JsonReader reader)
    {
        bool hasId = false, hasContent = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isId = reader.TextIs("id"u8);
            bool isContent = reader.TextIs("content"u8) || reader.TextIs("type"u8) || reader.TextIs("role"u8);
            reader.Read();
            bool isThere = reader.TokenType != JsonTokenType.Null;
            hasId |= isId && isThere;
            hasContent |= isContent && isThere;
            reader.Skip();
        }

        return hasId && !hasContent;
    }
}
