using System.Text;
using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Measures what a model has written in a response: texts, refusals, reasoning, and arguments of calls, over all choices or
/// items.</summary>
internal static class AnswerLength
{
    /// <summary>Returns the number of characters.</summary>
    /// <param name="body">One complete JSON object.</param>
    public static long Read(ReadOnlySpan<byte> body)
    {
        long length = 0;
        var reader = new Utf8JsonReader(body);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isAnswer = reader.TextIs("choices"u8) || reader.TextIs("output"u8);
            reader.Read();
            if (isAnswer && reader.TokenType == JsonTokenType.StartArray)
            {
                length += LengthOf(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        return length;
    }

    // Reads the list to its end.
    private static long LengthOf(ref Utf8JsonReader reader)
    {
        long length = 0;
        int depth = reader.CurrentDepth;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
            {
                continue;
            }

            if (IsBeside(ref reader))
            {
                reader.Skip();
            }
            else if (IsOfCall(ref reader))
            {
                reader.Read();
                length += LengthOfAll(ref reader);
            }
            else if (reader.TextIs("image_url"u8))
            {
                length++; // a picture takes tokens, whatever its size
            }
            else if (IsWritten(ref reader))
            {
                reader.Read();
                length += reader.TokenType == JsonTokenType.String ? CharactersOf(ref reader) : 0;
            }
        }

        return length;
    }

    // Some servers send arguments as an object. Reads the value to its end.
    private static long LengthOfAll(ref Utf8JsonReader reader)
    {
        long length = 0;
        int depth = reader.CurrentDepth;
        do
        {
            length += reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName ? CharactersOf(ref reader) : 0;
        }
        while ((reader.CurrentDepth != depth || reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            && reader.Read());

        return length;
    }

    private static bool IsWritten(ref Utf8JsonReader name) =>
        name.TextIs("content"u8) || name.TextIs("text"u8) || name.TextIs("refusal"u8) || name.TextIs("name"u8)
        || name.TextIs("reasoning_content"u8) || name.TextIs("reasoning"u8) || name.TextIs("thinking"u8) || name.TextIs("summary"u8)
        || name.TextIs("transcript"u8);

    // Of a function, and of a custom tool.
    private static bool IsOfCall(ref Utf8JsonReader name) => name.TextIs("arguments"u8) || name.TextIs("input"u8);

    // What a server adds to the answer: sources, lists of tools, and the tokens once more.
    private static bool IsBeside(ref Utf8JsonReader name) =>
        name.TextIs("annotations"u8) || name.TextIs("citations"u8) || name.TextIs("context"u8) || name.TextIs("results"u8)
        || name.TextIs("search_results"u8) || name.TextIs("browser_results"u8) || name.TextIs("code_results"u8)
        || name.TextIs("tools"u8) || name.TextIs("logprobs"u8);

    private static int CharactersOf(ref Utf8JsonReader text) =>
        text.ValueIsEscaped ? text.Text().Length : Encoding.UTF8.GetCharCount(text.ValueSpan);
}
