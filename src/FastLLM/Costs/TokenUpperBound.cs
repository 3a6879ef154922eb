using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Costs;

/// <summary>Represents upper bounds of the tokens of a request, computed from its body alone.</summary>
/// <remarks>No tokenizer makes more tokens of a text than it has bytes of UTF-8, and JSON writes no text shorter than it is. So the bytes
/// of the body bound the prompt; what a server adds around messages is shorter than their names and braces in JSON, and what it adds before
/// them is shorter than <see cref="Preamble"/>.</remarks>
/// <param name="Input">The maximum number of prompt tokens.</param>
/// <param name="Output">The maximum number of output tokens of all choices; <see langword="null"/> if the request sets no limit.</param>
/// <param name="Choices">The number of choices; without a limit in the request, the model's own limit applies to each.</param>
/// <param name="Unbounded">The content of the request that has no known bound, if any.</param>
internal readonly record struct TokenUpperBound(long Input, long? Output, long Choices, string? Unbounded)
{
    // Limits that some servers take instead of the model's own, and what some count beside any limit.
    private long OtherLimit { get; init; }

    private long Thinking { get; init; }

    /// <summary>Gets the number of pictures.</summary>
    public long Pictures { get; private init; }

    /// <summary>What a picture counts, whatever its size: more than any model of the built-in table is documented to take for one
    /// (gpt-4o-mini: 48,169).</summary>
    public const long Picture = 50_000;

    /// <summary>Room for what a server says to the model before the conversation: instructions of its own, the day.</summary>
    public const long Preamble = 256;

    private const long MaxOutput = 1_000_000_000;

    /// <summary>Gets the maximum number of output tokens of all choices.</summary>
    /// <param name="modelLimit">The limit of the model, which counts where the request sets none; <see langword="null"/> if
    /// unknown.</param>
    public long? MostOutput(long? modelLimit) => Output
        ?? (modelLimit is { } limit ? Math.Min(Math.Min(Math.Max(limit, OtherLimit), MaxOutput) + Thinking, MaxOutput) * Choices : null);

    /// <summary>Reads the bounds from the body.</summary>
    public static TokenUpperBound Of(LlmRequest request)
    {
        try
        {
            var scan = new Scan();
            scan.Read(request.Body.Span, hasOutput: !request.Endpoint.EndsWith("/embeddings", StringComparison.Ordinal));
            return scan.Result(request.Body.Length);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new TokenUpperBound(request.Body.Length, null, 1, "a body that is no JSON");
        }
    }

    private ref struct Scan
    {
        private bool _hasOutput;
        private long? _limit;
        private long _otherLimit;
        private bool _isLimitUnclear;
        private long _choices;
        private long _prompts;
        private long _pictures;
        private PictureParts _parts;
        private bool _isConversation;
        private bool _isSettings;
        private long _thinking;
        private string? _unbounded;

        public readonly TokenUpperBound Result(long bytes)
        {
            long input = bytes + Preamble + (_pictures * Picture);
            long choices = Math.Min(MaxOutput, Math.Clamp(_choices, 1, MaxOutput) * Math.Clamp(_prompts, 1, MaxOutput));
            var bound = new TokenUpperBound(input, null, choices, _unbounded)
            {
                OtherLimit = _otherLimit,
                Thinking = _thinking,
                Pictures = _pictures,
            };
            return bound with { Output = !_hasOutput ? 0 : bound.MostOutput(_isLimitUnclear ? null : _limit) };
        }

        public void Read(ReadOnlySpan<byte> body, bool hasOutput)
        {
            _hasOutput = hasOutput;
            _choices = 1;
            _prompts = 1;
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 1000 });
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                {
                    _pictures += _parts.Count(reader.TokenType, reader.CurrentDepth);
                    continue;
                }

                if (reader.CurrentDepth == 1)
                {
                    _isConversation = reader.ValueTextEquals("messages"u8) || reader.ValueTextEquals("input"u8);
                    _isSettings = UnboundedFields.IsSettings(ref reader);
                    ReadParameter(ref reader);
                }
                else if (!_isSettings || !ReadSetting(ref reader))
                {
                    ReadMember(ref reader);
                }
            }
        }

        // Of messages, tools and what else has members.
        private void ReadMember(ref Utf8JsonReader reader)
        {
            int depth = reader.CurrentDepth;
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                ReadType(ref reader, depth);
            }
            else if (_isConversation && depth >= 5 && reader.ValueTextEquals("image_url"u8))
            {
                _parts.Add(depth);
            }
            else if (_isConversation && depth == 3 && reader.ValueTextEquals("audio"u8))
            {
                reader.Read();
                _unbounded ??= reader.TokenType == JsonTokenType.Null ? null : "sound";
            }
            else if (depth == 3 && UnboundedFields.FindTool(ref reader) is { } tool)
            {
                _unbounded ??= tool;
            }
        }

        private void ReadParameter(ref Utf8JsonReader reader)
        {
            if (reader.ValueTextEquals("max_tokens"u8) || reader.ValueTextEquals("max_completion_tokens"u8)
                || reader.ValueTextEquals("max_output_tokens"u8))
            {
                _limit = ReadLimit(ref reader) is { } limit ? Math.Max(_limit ?? 0, limit) : _limit;
            }
            else if (ReadSetting(ref reader))
            {
                return;
            }
            else if (reader.ValueTextEquals("tools"u8))
            {
                reader.Read();
                _unbounded ??= UnboundedFields.FindTools(reader);
            }
            else if (UnboundedFields.Find(ref reader) is { } what)
            {
                Refuse(ref reader, what);
            }
            else if (reader.ValueTextEquals("prompt"u8))
            {
                ReadPrompt(ref reader);
            }
            else if (reader.ValueTextEquals("input"u8))
            {
                reader.Read();
                _unbounded ??= _hasOutput ? InputItems.FindReference(reader) : InputItems.FindOther(ref reader);
            }
        }

        // Some servers have these in an object of its own.
        private bool ReadSetting(ref Utf8JsonReader reader)
        {
            if (UnboundedFields.IsThinking(ref reader) || (_isSettings && reader.ValueTextEquals("max_tokens"u8)))
            {
                ReadThinking(ref reader);
            }
            else if (UnboundedFields.IsOtherLimit(ref reader))
            {
                _otherLimit = Math.Max(_otherLimit, ReadLimit(ref reader) ?? 0);
            }
            else if (UnboundedFields.IsChoices(ref reader))
            {
                ReadChoices(ref reader);
            }
            else
            {
                return false;
            }

            return true;
        }

        // Some servers count it beside the output limit.
        private void ReadThinking(ref Utf8JsonReader reader)
        {
            reader.Read();
            long most = reader.TokenType == JsonTokenType.Null ? 0 : MaxOutput;
            _thinking = Math.Max(_thinking, reader.TryGetWhole(out long budget) && budget >= 0 ? Math.Min(budget, MaxOutput) : most);
            reader.Skip();
        }

        // A number that servers may take for "no limit", or read otherwise, limits nothing.
        private long? ReadLimit(ref Utf8JsonReader reader)
        {
            reader.Read();
            if (reader.TryGetLenientWhole(out long limit) && limit > 0)
            {
                return limit;
            }

            _isLimitUnclear |= reader.TokenType != JsonTokenType.Null;
            reader.Skip();
            return null;
        }

        // Of the older completions: a text, tokens, or several of either, each of which is answered.
        private void ReadPrompt(ref Utf8JsonReader reader)
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                _unbounded ??= "a prompt that the provider keeps";
            }

            _prompts = PromptList.Count(reader);
            reader.Skip();
        }

        // Of content parts and tools. A schema may name types too, but none of these.
        private void ReadType(ref Utf8JsonReader reader, int depth)
        {
            if (reader.TokenType != JsonTokenType.String)
            {
                return;
            }

            if (reader.ValueTextEquals("image_url"u8) || reader.ValueTextEquals("input_image"u8) || reader.ValueTextEquals("image"u8))
            {
                _parts.Add(depth);
            }
            else
            {
                ReadOnlySpan<byte> type = reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;
                _unbounded ??= UnboundedFields.OfType(type);
            }
        }

        private void ReadChoices(ref Utf8JsonReader reader)
        {
            reader.Read();
            if (reader.TryGetLenientWhole(out long choices))
            {
                _choices = Math.Max(_choices, choices);
            }
            else if (reader.TokenType != JsonTokenType.Null)
            {
                _unbounded ??= "a number of choices that cannot be read";
                reader.Skip();
            }
        }

        private void Refuse(ref Utf8JsonReader reader, string what)
        {
            bool isTier = reader.ValueTextEquals("service_tier"u8);
            bool isModalities = reader.ValueTextEquals("modalities"u8);
            reader.Read();
            bool isHarmless = reader.TokenType is JsonTokenType.Null or JsonTokenType.False
                || (isTier && UnboundedFields.IsUsualTier(ref reader)) || (isModalities && UnboundedFields.IsText(ref reader));
            _unbounded ??= isHarmless ? null : what;
            if (!isModalities)
            {
                reader.Skip();
            }
        }
    }
}
