using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts chat messages and options to the same request, byte for byte, as <c>batch.Chat.Completions.Create</c>, so that they
/// share keys.</summary>
internal static class ChatRequests
{
    public static LlmRequest ToRequest(IEnumerable<ChatMessage> messages, ChatOptions? options, string? defaultModel, IChatClient client)
    {
        options ??= new ChatOptions();
        Refuse(options);
        var raw = new RawOptions(options.RawRepresentationFactory?.Invoke(client));
        List<Message> all = ChatMessages.ToMessages(messages, options.Instructions);
        if (all.Count == 0)
        {
            throw new ArgumentException("There are no messages to send.", nameof(messages));
        }

        JsonArray? tools = ChatTools.ToJson(options.Tools, ChatTools.IsStrict(options.AdditionalProperties), raw.TakeTools());
        return Build(raw.Model ?? options.ModelId ?? defaultModel, (batch, model) => batch.Chat.Completions.Create(
            model,
            all,
            temperature: raw.TakeNumber("temperature") ?? ValueJson.Exact(options.Temperature, nameof(options.Temperature)),
            topP: raw.TakeNumber("top_p") ?? ValueJson.Exact(options.TopP, nameof(options.TopP)),
            stop: raw.TakeStop(options.StopSequences) is { Length: > 0 } stop ? StopSequences.Create(stop) : null,
            maxCompletionTokens: (int?)raw.TakeNumber("max_completion_tokens") ?? options.MaxOutputTokens,
            presencePenalty: raw.TakeNumber("presence_penalty")
                ?? ValueJson.Exact(options.PresencePenalty, nameof(options.PresencePenalty)),
            frequencyPenalty: raw.TakeNumber("frequency_penalty")
                ?? ValueJson.Exact(options.FrequencyPenalty, nameof(options.FrequencyPenalty)),
            responseFormat: raw.Take("response_format") ?? ChatTools.ToFormat(options.ResponseFormat,
                ChatTools.IsStrict(options.AdditionalProperties)),
            seed: raw.TakeWhole("seed") ?? options.Seed,
            tools: tools,
            toolChoice: raw.Take("tool_choice") ?? (tools is null ? null : ToChoice(options.ToolMode)),
            sample: SampleOf(options.AdditionalProperties),
            extra: ExtraOf(options, raw, tools is not null)));
    }

    /// <summary>Returns what makes a request for texts.</summary>
    public static Func<IEnumerable<string>, LlmRequest> ForTexts(
        EmbeddingGenerationOptions? options, string? defaultModel, IEmbeddingGenerator generator)
    {
        var raw = new RawOptions(options?.RawRepresentationFactory?.Invoke(generator));
        int? dimensions = (int?)raw.TakeWhole("dimensions") ?? options?.Dimensions;
        string? format = raw.Take("encoding_format")?.GetValue<string>(), user = raw.Take("user")?.GetValue<string>();
        _ = raw.Take("input"); // the texts are those of the call
        Dictionary<string, object?> extra = Sent(options?.AdditionalProperties);
        raw.TakeRest(extra, nameof(options));
        return values => Build(raw.Model ?? options?.ModelId ?? defaultModel, (batch, model) => batch.Embeddings.Create(
            model, EmbeddingInput.Create([.. values]), dimensions, format, user, SampleOf(options?.AdditionalProperties), extra: extra));
    }

    // A server with one model needs no name, but Create does: it is removed again.
    private static LlmRequest Build(string? model, Action<RequestBatch, string> create)
    {
        bool isNamed = !string.IsNullOrEmpty(model);
        var batch = new RequestBatch();
        create(batch, isNamed ? model! : "none");
        return isNamed ? batch[0] : batch[0] with { Model = null };
    }

    // What the protocol has no place for is refused, so that nothing is lost unnoticed.
    private static void Refuse(ChatOptions options)
    {
        string? name = options.ConversationId is not null ? nameof(options.ConversationId)
            : options.ContinuationToken is not null ? nameof(options.ContinuationToken)
            : options.Reasoning?.Output is ReasoningOutput.Summary or ReasoningOutput.Full ? "Reasoning.Output"
            : null;
        if (name is not null)
        {
            throw new NotSupportedException(
                $"{nameof(ChatOptions)}.{name} cannot be sent: chat completions have no parameter for it. Leave it unset.");
        }
    }

    private static JsonNode? ToChoice(ChatToolMode? mode) => mode switch
    {
        null => null,
        NoneChatToolMode => "none",
        RequiredChatToolMode { RequiredFunctionName: { } name } =>
            new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = name } },
        RequiredChatToolMode => "required",
        _ => "auto",
    };

    private static Dictionary<string, object?> ExtraOf(ChatOptions options, RawOptions raw, bool hasTools)
    {
        Dictionary<string, object?> extra = Sent(options.AdditionalProperties);
        raw.TakeRest(extra, nameof(options));
        Add("top_k", options.TopK);
        Add("parallel_tool_calls", hasTools ? options.AllowMultipleToolCalls : null);
        Add("web_search_options", ChatTools.HasWebSearch(options.Tools) ? new JsonObject() : null);
        Add("reasoning_effort", options.Reasoning?.Effort switch
        {
            null => null,
            ReasoningEffort.None => "none",
            ReasoningEffort.Low => "low",
            ReasoningEffort.Medium => "medium",
            ReasoningEffort.High => "high",
            _ => "xhigh",
        });
        return extra;

        void Add(string name, object? value)
        {
            // What the raw options say takes precedence.
            if (value is not null && !raw.Has(name) && !extra.TryAdd(name, value))
            {
                throw new ArgumentException(
                    $"\"{name}\" is given twice: as an option and among {nameof(ChatOptions.AdditionalProperties)}.", nameof(options));
            }
        }
    }

    private static Dictionary<string, object?> Sent(AdditionalPropertiesDictionary? properties) => (properties ?? [])
        .Where(property => property.Key is not (FastLLMChatClient.SampleProperty or ChatTools.Strict or ChatTools.StrictSchema))
        .ToDictionary(property => property.Key, property => property.Value, StringComparer.Ordinal);

    private static int SampleOf(AdditionalPropertiesDictionary? properties) =>
        properties?.TryGetValue(FastLLMChatClient.SampleProperty, out object? value) is not true ? 0 : value switch
        {
            null => 0,
            int sample => sample,
            JsonElement { ValueKind: JsonValueKind.Number } json when json.TryGetInt32(out int sample) => sample,
            _ => throw new ArgumentException($"\"{FastLLMChatClient.SampleProperty}\" is a {value.GetType().Name}, not an int.",
                nameof(properties)),
        };
}
