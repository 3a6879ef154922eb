using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Counts the prompts of a request to <c>/v1/completions</c>: a text, tokens, or several of either, each of which is
/// answered.</summary>
internal static class PromptList
{
    /// <summary>Returns the number of prompts; 1 for a text or a list of tokens.</summary>
    /// <param name="reader">Stands at the first token of the prompts. It is a copy: the caller reads them once more.</param>
    public static long Count(Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return 1;
        }

        long prompts = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            prompts += reader.TokenType is JsonTokenType.String or JsonTokenType.StartArray ? 1 : 0;
            reader.Skip();
        }

        return Math.Max(1, prompts);
    }
}
