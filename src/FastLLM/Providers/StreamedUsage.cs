using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Collects the token usage of a stream: of each count the largest.</summary>
/// <remarks>Some servers state it with every chunk, some in parts, and some end with a smaller one. Not safe for concurrent use.</remarks>
internal sealed class StreamedUsage
{
    private bool _isStated;
    private bool _isStatedNow;
    private bool _isCurrent;
    private bool _hasGrown;
    private bool _isOutdated;
    private long _texts;
    private long _textsWithoutMore;

    /// <summary>Adds the usage of a chunk.</summary>
    /// <param name="usage">The usage of the chunks before.</param>
    /// <param name="reader">Stands at the first token of the usage.</param>
    /// <param name="json">The JSON that it reads.</param>
    /// <param name="held">Grows by the bytes that are kept.</param>
    public void Add(JsonAccumulator usage, ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref long held)
    {
        _isStatedNow |= reader.TokenType == JsonTokenType.StartObject;
        _isCurrent |= AddTo(usage, ref reader, json, ref held, ref _hasGrown);
    }

    /// <summary>Notes the end of a chunk.</summary>
    /// <param name="hasText">Whether it has text.</param>
    public void EndChunk(bool hasText)
    {
        _isOutdated = !_isCurrent && (_isOutdated || (_isStated && hasText));
        bool isOfText = _isStatedNow && hasText;
        _texts += isOfText ? 1 : 0;
        _textsWithoutMore += isOfText && !_hasGrown ? 1 : 0;
        _isStated |= _isStatedNow;
        (_isStatedNow, _isCurrent, _hasGrown) = (false, false, false);
    }

    /// <summary>Gets whether the usage is that of the whole answer. Some servers count before the rest of the text, and some each chunk by
    /// itself: then most chunks with text state no more than those before.</summary>
    public bool IsOfAll => !_isOutdated && !(_textsWithoutMore > 1 && 2 * _textsWithoutMore >= _texts);

    // Returns whether it counts an output, and no smaller one than before.
    private static bool AddTo(
        JsonAccumulator usage, ref Utf8JsonReader reader, ReadOnlySpan<byte> json, ref long held, ref bool hasGrown)
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
                AddTo(member, ref reader, json, ref held, ref hasGrown);
                continue;
            }

            double known = member.Number ?? 0;
            bool isLower = !reader.TryGetDouble(out double number) || number < known;
            isCurrent |= isOutput && !isLower && number > 0;
            hasGrown |= isOutput && number > known;
            if (!isLower)
            {
                member.Replace(reader.ValueSpan, ref held);
            }
        }

        return isCurrent;
    }
}
