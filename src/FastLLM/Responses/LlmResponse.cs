using System.Text.Json;
using FastLLM.Json;

namespace FastLLM;

/// <summary>Represents a response of a provider: the bytes as received, read on demand.</summary>
/// <remarks>
/// <para>Immutable and safe to share between threads. Fields unknown to this library stay in <see cref="RawBody"/> and
/// <see cref="Json"/>.</para>
/// <para>Texts come from a model: treat them as untrusted.</para>
/// </remarks>
public abstract class LlmResponse
{
    // A reference: an element is larger than what threads can exchange at once, and equal requests share a response.
    private object? _json;

    private protected LlmResponse(ReadOnlyMemory<byte> rawBody) => RawBody = rawBody;

    /// <summary>Gets the body as received, UTF-8 JSON.</summary>
    public ReadOnlyMemory<byte> RawBody { get; }

    /// <summary>Gets or sets the HTTP status that it came with, 200 to 299. Set it before others see the response.</summary>
    internal int StatusCode { get; set; } = 200;

    /// <summary>Gets the body as a JSON element. It is parsed on first use and kept. Bytes that are not valid UTF-8 are U+FFFD in
    /// it.</summary>
    public JsonElement Json
    {
        get
        {
            if (Volatile.Read(ref _json) is not JsonElement json)
            {
                using JsonDocument document = JsonDocument.Parse(WellFormedJson.Of(RawBody));
                json = document.RootElement.Clone();
                Volatile.Write(ref _json, json);
            }

            return json;
        }
    }

    /// <summary>Gets the provider's id of the response, if there is one.</summary>
    public string? Id => Json.Text("id");

    /// <summary>Gets the model, as the provider names it.</summary>
    public string? Model => Json.Text("model");

    /// <summary>Gets the token usage, or <see langword="null"/> if the provider sent none.</summary>
    public Usage? Usage => ToUsage(BodyScan.Read(RawBody.Span));

    /// <summary>Reads a body: a chat completion, embeddings, or any other JSON object.</summary>
    /// <param name="rawBody">UTF-8 JSON. It is kept, not copied, and must not change.</param>
    /// <exception cref="JsonException">The body is not one complete JSON object.</exception>
    public static LlmResponse FromBody(ReadOnlyMemory<byte> rawBody) => FromBody(rawBody, BodyScan.Read(rawBody.Span));

    /// <summary>Returns kind and size, never the content, which may be private.</summary>
    public override string ToString() => $"{GetType().Name}, {RawBody.Length} bytes";

    internal static LlmResponse FromBody(ReadOnlyMemory<byte> rawBody, in BodyScan scan) => scan switch
    {
        { HasChoices: true } => new ChatCompletion(rawBody),
        { HasEmbeddings: true } => new EmbeddingResponse(rawBody),
        _ => new OtherResponse(rawBody),
    };

    /// <summary>Gets the token counts as an object, or <see langword="null"/> if the provider sent none.</summary>
    internal static Usage? ToUsage(in BodyScan scan) => !scan.Usage.IsThere ? null : new Usage
    {
        PromptTokens = scan.Usage.PromptTokens,
        CompletionTokens = scan.Usage.CompletionTokens,
        TotalTokens = scan.Usage.TotalTokens == 0 ? scan.Usage.PromptTokens + scan.Usage.CompletionTokens : scan.Usage.TotalTokens,
        CachedTokens = scan.Usage.CachedTokens,
        CacheWrittenTokens = scan.Usage.CacheWrittenTokens,
        HourCacheWrittenTokens = scan.Usage.HourCacheWrittenTokens,
        ReasoningTokens = scan.Usage.ReasoningTokens,
        IsUnclear = scan.Usage.IsUnclear
            || (scan.HasChoices && !scan.Usage.StatesCompletion && scan.Usage.TotalTokens <= scan.Usage.PromptTokens),
        IsOfEmbeddings = scan.HasEmbeddings,
    };
}
