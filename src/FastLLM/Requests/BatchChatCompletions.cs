using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>Adds chat completion requests to a batch: <c>batch.Chat.Completions</c>.</summary>
public sealed class BatchChatCompletions
{
    // NaN stands for a temperature that the caller did not set.
    private const double NotSet = double.NaN;

    private readonly RequestBatch _batch;

    internal BatchChatCompletions(RequestBatch batch) => _batch = batch;

    /// <summary>Adds a chat completion request.</summary>
    /// <param name="model">The model.</param>
    /// <param name="messages">The conversation; a string is a user message.</param>
    /// <param name="temperature">0 to 2, or <see langword="null"/> to send none. If it is not set, 0.7 is sent, unless the model is known
    /// to refuse a temperature.</param>
    /// <param name="topP">0 to 1; 1, the provider's default, is not sent.</param>
    /// <param name="n">The number of choices in the response; 1, the provider's default, is not sent.</param>
    /// <param name="stop">One or more texts at which the model stops.</param>
    /// <param name="maxCompletionTokens">The maximum number of tokens in the response, reasoning included.</param>
    /// <param name="presencePenalty">−2 to 2; 0, the provider's default, is not sent.</param>
    /// <param name="frequencyPenalty">−2 to 2; 0, the provider's default, is not sent.</param>
    /// <param name="logitBias">The bias for each token number.</param>
    /// <param name="user">The id of the end user.</param>
    /// <param name="responseFormat">The format of the response, such as <c>JsonNode.Parse("""{"type":"json_object"}""")</c>.</param>
    /// <param name="seed">The seed; providers give no guarantee.</param>
    /// <param name="tools">The tools that the model may call.</param>
    /// <param name="toolChoice"><c>"auto"</c>, <c>"none"</c>, <c>"required"</c>, or a JSON object that names a tool.</param>
    /// <param name="stream">Whether the response is streamed.</param>
    /// <param name="sample">The number of the sample; equal requests share one response unless their samples differ.</param>
    /// <param name="provider">A label for logs.</param>
    /// <param name="extra">Any other body parameter: text, number, truth value, <see cref="JsonNode"/>, <see cref="JsonElement"/>, or lists
    /// and dictionaries of these.</param>
    /// <returns>The id of the request: its key in a cache.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A parameter is out of its range; the message names it.</exception>
    /// <exception cref="ArgumentException">A text has half of a surrogate pair, or <paramref name="extra"/> names a parameter of this
    /// method.</exception>
    public string Create(
        string model,
        IEnumerable<Message> messages,
        double? temperature = NotSet,
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
