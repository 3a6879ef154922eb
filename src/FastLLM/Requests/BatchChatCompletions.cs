using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>The builder behind <c>batch.Chat.Completions</c>.</summary>
public sealed class BatchChatCompletions
{
    // No temperature is not a number: it stands for one that nobody chose.
    private const double LeftAlone = double.NaN;

    private readonly RequestBatch _batch;

    internal BatchChatCompletions(RequestBatch batch) => _batch = batch;

    /// <summary>Adds a chat completion request.</summary>
    /// <param name="model">The model.</param>
    /// <param name="messages">The conversation; a string is a user message.</param>
    /// <param name="temperature">0 to 2, or <see langword="null"/> to send none. Left alone, 0.7 is sent, unless the model is known to refuse a temperature.</param>
    /// <param name="topP">0 to 1; 1 is the provider's own and not sent.</param>
    /// <param name="n">How many answers in one response; 1 is the provider's own and not sent.</param>
    /// <param name="stop">Where the answer stops: a text, or several.</param>
    /// <param name="maxCompletionTokens">The most tokens of an answer, reasoning included.</param>
    /// <param name="presencePenalty">−2 to 2; 0 is the provider's own and not sent.</param>
    /// <param name="frequencyPenalty">−2 to 2; 0 is the provider's own and not sent.</param>
    /// <param name="logitBias">Bias by token number.</param>
    /// <param name="user">An id for the end user.</param>
    /// <param name="responseFormat">The answer's form, such as <c>JsonNode.Parse("""{"type":"json_object"}""")</c>.</param>
    /// <param name="seed">A seed; providers promise best effort only.</param>
    /// <param name="tools">The tools that the model may call.</param>
    /// <param name="toolChoice"><c>"auto"</c>, <c>"none"</c>, <c>"required"</c>, or a JSON object that names a tool.</param>
    /// <param name="stream">Whether the answer is to be streamed.</param>
    /// <param name="sample">Which answer to the same question this is; equal requests share one answer unless their samples differ.</param>
    /// <param name="provider">A label for logs.</param>
    /// <param name="extra">Any other body parameter: text, number, truth value, <see cref="JsonNode"/>, <see cref="JsonElement"/>, or lists and dictionaries of these.</param>
    /// <returns>The request's id: the key by which a cache knows it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of its range; the message names it.</exception>
    /// <exception cref="ArgumentException">A text holds half of a surrogate pair, or <paramref name="extra"/> names a parameter of this method.</exception>
    public string Create(
        string model,
        IEnumerable<Message> messages,
        double? temperature = LeftAlone,
        double? topP = 1.0,
        int? n = 1,
        StopSequences? stop = null,
        int? maxCompletionTokens = null,
        double? presencePenalty = 0.0,
        double? frequencyPenalty = 0.0,
        IReadOnlyDictionary<string, double>? logitBias = null,
        string? user = null,
        JsonNode? responseFormat = null,
        long? seed = null,
        JsonArray? tools = null,
        JsonNode? toolChoice = null,
        bool stream = false,
        int sample = 0,
        string? provider = null,
        IReadOnlyDictionary<string, object?>? extra = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentNullException.ThrowIfNull(messages);
        var additional = new Parameters();
        additional.Add("n", n == 1 ? null : Positive(n));
        additional.Add("logit_bias", logitBias);
        additional.Add("user", user);
        additional.Add("response_format", responseFormat);
        additional.Add("seed", seed);
        additional.Add("tools", tools);
        additional.Add("tool_choice", toolChoice);
        additional.AddRange(extra);

        return _batch.Add(new LlmRequest
        {
            Model = model,
            Messages = messages as IReadOnlyList<Message> ?? [.. messages],
            TemperatureUnlessNaN = temperature,
            TopP = topP,
            Stop = stop,
            MaxCompletionTokens = maxCompletionTokens,
            PresencePenalty = presencePenalty,
            FrequencyPenalty = frequencyPenalty,
            Stream = stream,
            Sample = sample,
            Provider = provider,
            AdditionalParameters = additional.ToDictionary(),
        });
    }

    private static int? Positive(int? n) => n is < 1
        ? throw new ArgumentOutOfRangeException(nameof(n), n, "n must be at least 1.")
        : n;
}
