using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Reads text and finish reason of the first choice straight from the bytes: most callers need nothing else.</summary>
/// <remarks>Each object is read to its end: the last of duplicate members counts, as everywhere.</remarks>
internal static class ChoiceText
{
    private static readonly string[] s_reasons = ["stop", "length", "tool_calls", "content_filter"];

    private delegate string? Reading(ref Utf8JsonReader reader);

    /// <summary>Gets <c>choices[0].message.content</c>, otherwise that of a <c>delta</c>, otherwise <c>choices[0].text</c>;
    /// <see langword="null"/> if none is a string.</summary>
    public static string? Read(ReadOnlySpan<byte> body) => ReadFirst(body, TextOf);

    /// <summary>Gets <c>choices[0].finish_reason</c>; <see langword="null"/> if it is not a string.</summary>
    public static string? ReadFinishReason(ReadOnlySpan<byte> body) => ReadFirst(body, ReasonOf);

    private static string? ReadFirst(ReadOnlySpan<byte> body, Reading reading)
    {
        string? found = null;
        var reader = new Utf8JsonReader(body);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isChoices = reader.TextIs("choices"u8);
            reader.Read();
            if (isChoices && reader.TokenType == JsonTokenType.StartArray)
            {
                found = null;
                for (var i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
                {
                    found = i == 0 && reader.TokenType == JsonTokenType.StartObject ? reading(ref reader) : found;
                    reader.Skip();
                }
            }

            reader.Skip();
        }

        return found;
    }

    private static string? TextOf(ref Utf8JsonReader choice)
    {
        string? content = null, text = null, delta = null;
        while (choice.Read() && choice.TokenType == JsonTokenType.PropertyName)
        {
            bool isMessage = choice.TextIs("message"u8), isText = choice.TextIs("text"u8), isDelta = choice.TextIs("delta"u8);
            choice.Read();
            content = isMessage && choice.TokenType == JsonTokenType.StartObject ? ContentOf(ref choice) : content;
            delta = isDelta && choice.TokenType == JsonTokenType.StartObject ? ContentOf(ref choice) : delta;
            text = isText && choice.TokenType == JsonTokenType.String ? choice.Text() : text;
            choice.Skip();
        }

        return content ?? delta ?? text;
    }

    private static string? ContentOf(ref Utf8JsonReader message)
    {
        string? content = null;
        while (message.Read() && message.TokenType == JsonTokenType.PropertyName)
        {
            bool isContent = message.TextIs("content"u8);
            message.Read();
            content = isContent && message.TokenType == JsonTokenType.String ? message.Text() : content;
            message.Skip();
        }

        return content;
    }

    private static string? ReasonOf(ref Utf8JsonReader choice)
    {
        string? reason = null;
        while (choice.Read() && choice.TokenType == JsonTokenType.PropertyName)
        {
            bool isReason = choice.TextIs("finish_reason"u8);
            choice.Read();
            reason = isReason && choice.TokenType == JsonTokenType.String ? Reason(ref choice) : reason;
            choice.Skip();
        }

        return reason;
    }

    // The usual reasons cost no string of their own.
    private static string Reason(ref Utf8JsonReader reader)
    {
        foreach (string known in s_reasons)
        {
            if (!reader.ValueIsEscaped && reader.ValueTextEquals(known))
            {
                return known;
            }
        }

        return reader.Text();
    }
}
