using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Represents the token counts of a response's body.</summary>
internal struct UsageScan
{
    /// <summary>The largest accepted count; sums of larger ones could overflow.</summary>
    private const long TokenUpperBound = 1_000_000_000_000;

    /// <summary>Whether the body has a <c>usage</c> object.</summary>
    public bool IsThere;

    /// <summary>Whether a token count is there, but cannot be read, or is too small for the text of the answer.</summary>
    public bool IsUnclear;

    /// <summary>Whether the tokens of the completion are stated.</summary>
    public bool StatesCompletion;

    /// <summary>The token counts; see <c>Usage</c>.</summary>
    public long PromptTokens, CompletionTokens, TotalTokens, CachedTokens, ReasoningTokens;

    /// <summary>The prompt tokens that the provider wrote to its cache, and those of them that it keeps for an hour.</summary>
    public long CacheWrittenTokens, HourCacheWrittenTokens;

    /// <summary>Reads the value of a <c>usage</c> member.</summary>
    public void Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        IsThere = true;
        long input = 0, cacheRead = 0, cacheWritten = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("prompt_tokens"u8))
            {
                IsUnclear |= !Count(ref reader, ref PromptTokens);
            }
            else if (reader.TextIs("input_tokens"u8))
            {
                IsUnclear |= !Count(ref reader, ref input);
            }
            else if (reader.TextIs("completion_tokens"u8) || reader.TextIs("output_tokens"u8))
            {
                IsUnclear |= !Count(ref reader, ref CompletionTokens);
                StatesCompletion = true;
            }
            else if (reader.TextIs("total_tokens"u8))
            {
                IsUnclear |= !Count(ref reader, ref TotalTokens);
            }
            else if (reader.TextIs("prompt_cache_hit_tokens"u8))
            {
                Count(ref reader, ref CachedTokens);
            }
            else if (reader.TextIs("cache_read_input_tokens"u8))
            {
                CountMore(ref reader, ref cacheRead);
            }
            else if (reader.TextIs("cache_creation_input_tokens"u8))
            {
                CountMore(ref reader, ref cacheWritten);
            }
            else if (reader.TextIs("reasoning_tokens"u8))
            {
                CountMore(ref reader, ref ReasoningTokens);
            }
            else if (reader.TextIs("prompt_tokens_details"u8) || reader.TextIs("input_tokens_details"u8))
            {
                ReadPromptDetails(ref reader);
            }
            else if (reader.TextIs("cache_creation"u8))
            {
                ReadDetail(ref reader, "ephemeral_1h_input_tokens"u8, ref HourCacheWrittenTokens);
            }
            else if (reader.TextIs("completion_tokens_details"u8) || reader.TextIs("output_tokens_details"u8))
            {
                ReadDetail(ref reader, "reasoning_tokens"u8, ref ReasoningTokens);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        CachedTokens = Math.Max(CachedTokens, cacheRead);
        CacheWrittenTokens = Math.Max(CacheWrittenTokens, cacheWritten);

        // Anthropic does not include the tokens that its cache read and wrote in the input tokens.
        PromptTokens = PromptTokens == 0 ? input + cacheRead + cacheWritten : Math.Max(PromptTokens, input);
    }

    private void ReadPromptDetails(ref Utf8JsonReader reader)
    {
        while (NextDetail(ref reader))
        {
            if (reader.TextIs("cached_tokens"u8))
            {
                Count(ref reader, ref CachedTokens);
            }
            else if (reader.TextIs("cache_creation_tokens"u8) || reader.TextIs("cache_write_tokens"u8))
            {
                CountMore(ref reader, ref CacheWrittenTokens);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    private void ReadDetail(ref Utf8JsonReader reader, ReadOnlySpan<byte> name, ref long count)
    {
        while (NextDetail(ref reader))
        {
            if (reader.TextIs(name))
            {
                CountMore(ref reader, ref count);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
    }

    // Called first at the name of a member whose value may be an object, then at the end of each value of that object.
    private static bool NextDetail(ref Utf8JsonReader reader)
    {
        bool isFirst = reader.TokenType == JsonTokenType.PropertyName;
        reader.Read();
        if (isFirst && reader.TokenType == JsonTokenType.StartObject)
        {
            reader.Read();
        }
        else if (isFirst)
        {
            reader.Skip();
            return false;
        }

        return reader.TokenType == JsonTokenType.PropertyName;
    }

    // A count that may come on top of the others. Many servers send null for none.
    private void CountMore(ref Utf8JsonReader reader, ref long count)
    {
        Utf8JsonReader value = reader;
        value.Read();
        IsUnclear |= !Count(ref reader, ref count) && value.TokenType != JsonTokenType.Null;
    }

    // A provider may send null, a negative number, a fraction or a text: these are ignored, and leave open what the answer took. One that
    // states both names of a count may fill only one of them: the larger counts.
    private static bool Count(ref Utf8JsonReader reader, ref long count)
    {
        reader.Read();
        bool isCount = reader.TryGetWhole(out long value) && value is >= 0 and <= TokenUpperBound;
        if (isCount)
        {
            count = Math.Max(count, value);
        }

        reader.Skip();
        return isCount;
    }
}
