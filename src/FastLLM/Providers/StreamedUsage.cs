using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Collects the token usage of a stream: of each count the largest.</summary>
/// <remarks>Some servers state it with every chunk, some in parts, and some end with a smaller one.</remarks>
internal static class StreamedUsage
{
    /// <summary>Adds the usage of a chunk.</summary>
    /// <param name="usage">The usage of the chunks before.</param>
    /// <param name="reader">Stands at the first token of the usage.</param>
    /// <param name="json">The JSON that it reads.</param>
    /// <param name="held">Grows by the bytes that are kept.</param>
    /// <returns>Whether it counts an output, and no smaller one than before.</returns>
    public static bool Add(JsonAccumulator usage, ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref long held)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            ReadOnlySpan<byte> value = JsonAccumulator.ValueOf(ref reader, json);
            if (!usage.IsObject)
            {
                usage.Replace(value, ref held);
            }

            return false;
        }

        bool isCurrent = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isOutput = reader.TextIs("completion_tokens"u8) || reader.TextIs("output_tokens"u8) || reader.TextIs("total_tokens"u8);
            JsonAccumulator member = usage.Member(reader.ValueSpan);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number)
            {
                Add(member, ref reader, json, ref held);
                continue;
            }

            double known = member.Number ?? 0;
            bool isLower = !reader.TryGetDouble(out double number) || number < known;
            isCurrent |= isOutput && !isLower && number > 0;
            if (!isLower)
            {
                member.Replace(reader.ValueSpan, ref held);
            }
        }

        return isCurrent;
    }

    /// <summary>Returns whether the output that was stated is that of single chunks: of so many chunks with text, each has a token at
    /// least, but for a few that share one.</summary>
    /// <param name="usage">The usage.</param>
    /// <param name="texts">How many chunks with text stated usage.</param>
    public static bool CountsChunks(JsonAccumulator usage, long texts)
    {
        double? output = usage.Find("completion_tokens"u8)?.Number ?? usage.Find("output_tokens"u8)?.Number;
        return texts > 2 && output is { } tokens && texts > 2 * tokens;
    }
}
