using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.RateLimiting;

/// <summary>What a request says about the tokens that it will take.</summary>
/// <param name="Bytes">The text that it sends, in bytes of UTF-8.</param>
/// <param name="MaxOutput">The output that it allows, over all choices of all prompts; <see langword="null"/> where it sets no
/// limit.</param>
/// <param name="Dense">Those of them that are neither words of plain letters nor spaces, of which a token takes fewer.</param>
internal readonly record struct TokenDemand(long Bytes, long? MaxOutput, long Dense = 0)
{
    // A picture in the body is long as text and short as tokens; how short is the provider's secret.
    private const int BytesOfData = 4_000;
    private const int LongestWord = 28; // longer runs of letters are sequences or codes, of which a token takes few
    private const int BytesOfNumber = 4;

    /// <summary>Reads it from the body; of a body that is no JSON, the length counts.</summary>
    public static TokenDemand Of(LlmRequest request)
    {
        ReadOnlySpan<byte> body = request.Body.Span;
        try
        {
            return Read(body, hasOutput: !request.Endpoint.EndsWith("/embeddings", StringComparison.Ordinal));
        }
        catch (JsonException)
        {
            return new TokenDemand(body.Length, null, body.Length);
        }
    }

    private static TokenDemand Read(ReadOnlySpan<byte> body, bool hasOutput)
    {
        var reader = new Utf8JsonReader(body);
        long bytes = 0;
        long dense = 0;
        long? most = null;
        long choices = 1;
        long prompts = 1;
        bool isText = true;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                isText = IsText(ref reader);
            }

            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName when reader.CurrentDepth == 1:
                    if (reader.ValueTextEquals("max_tokens"u8) || reader.ValueTextEquals("max_completion_tokens"u8)
                        || reader.ValueTextEquals("max_output_tokens"u8))
                    {
                        most = Larger(most, Number(ref reader));
                    }
                    else if (reader.ValueTextEquals("n"u8) || reader.ValueTextEquals("best_of"u8))
                    {
                        choices = Math.Max(choices, Choices(ref reader));
                    }
                    else if (reader.ValueTextEquals("prompt"u8))
                    {
                        prompts = Prompts(reader);
                    }

                    break;
                case JsonTokenType.String:
                    bool isData = !isText && (reader.ValueSpan.StartsWith("data:"u8) || IsBase64(reader.ValueSpan));
                    bytes += isData ? Math.Min(BytesOfData, reader.ValueSpan.Length) : reader.ValueSpan.Length;
                    dense += isData ? 0 : DenseOf(reader.ValueSpan);
                    break;
                case JsonTokenType.Number when reader.CurrentDepth > 1:
                    bytes += BytesOfNumber;
                    break;
            }
        }

        return new TokenDemand(bytes, !hasOutput ? 0 : most is { } each ? Times(Times(each, choices), prompts) : null, dense);
    }

    // What a model reads as text, whatever it looks like. Data may have names that are not known here.
    private static bool IsText(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("content"u8) || reader.ValueTextEquals("text"u8) || reader.ValueTextEquals("input"u8)
        || reader.ValueTextEquals("prompt"u8) || reader.ValueTextEquals("instructions"u8) || reader.ValueTextEquals("arguments"u8)
        || reader.ValueTextEquals("output"u8) || reader.ValueTextEquals("suffix"u8);

    private static long DenseOf(ReadOnlySpan<byte> text)
    {
        long dense = 0;
        long word = 0;
        foreach (byte one in text)
        {
            if (char.IsAsciiLetter((char)one))
            {
                word++;
                continue;
            }

            dense += (word > LongestWord ? word : 0) + (one == ' ' ? 0 : 1);
            word = 0;
        }

        return dense + (word > LongestWord ? word : 0);
    }

    // Sound and files come without a "data:" before them. Text has spaces.
    private static bool IsBase64(ReadOnlySpan<byte> text) =>
        text.Length > BytesOfData && !text[..BytesOfData].Contains((byte)' ')
        && !text[..BytesOfData].ContainsAnyExceptInRange((byte)'+', (byte)'z');

    private static long Choices(ref Utf8JsonReader reader) =>
        reader.Read() && reader.TryGetLenientWhole(out long choices) ? choices : 1;

    private static long Prompts(Utf8JsonReader reader) => reader.Read() ? PromptList.Count(reader) : 1;

    private static long Times(long one, long other) => Math.Min(one, long.MaxValue / other) * other;

    // Servers may take 0 or less for no limit.
    private static long? Number(ref Utf8JsonReader reader) =>
        reader.Read() && reader.TryGetLenientWhole(out long number) && number > 0 ? number : null;

    private static long? Larger(long? one, long? other) => one is null || other > one ? other : one;
}
