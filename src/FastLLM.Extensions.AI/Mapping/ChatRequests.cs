using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>
/// Converts chat messages and options to the same request, byte for byte, as <c>batch.Chat.Completions.Create</c>, so that they share keys.
/// </summary>
internal static class ChatRequests
{
    /// <summary>The property that makes the model follow a schema strictly.</summary>
    public const string Strict = "strictJsonSchema";

    public static LlmRequest ToRequest(IEnumerable<ChatMessage> messages, ChatOptions? options, string? defaultModel)
    {
        options ??= new ChatOptions();
        List<Message> all = ChatMessages.ToMessages(messages, options.Instructions);
        JsonArray? tools = ToTools(options.Tools);
        return Build(options.ModelId ?? defaultModel, (batch, model) => batch.Chat.Completions.Create(
            model,
            all,
            temperature: ValueJson.Exact(options.Temperature, nameof(options.Temperature)),
            topP: ValueJson.Exact(options.TopP, nameof(options.TopP)),
            stop: options.StopSequences is { Count: > 0 } stop ? StopSequences.Create([.. stop]) : null,
            maxCompletionTokens: options.MaxOutputTokens,
            presencePenalty: ValueJson.Exact(options.PresencePenalty, nameof(options.PresencePenalty)),
            frequencyPenalty: ValueJson.Exact(options.FrequencyPenalty, nameof(options.FrequencyPenalty)),
            responseFormat: ToFormat(options.ResponseFormat, IsStrict(options.AdditionalProperties)),
            seed: options.Seed,
            tools: tools,
            toolChoice: tools is null ? null : ToChoice(options.ToolMode),
            sample: SampleOf(options.AdditionalProperties),
            extra: ExtraOf(options, tools is not null)));
    }

    public static LlmRequest ToRequest(IEnumerable<string> values, EmbeddingGenerationOptions? options, string? defaultModel) =>
        Build(options?.ModelId ?? defaultModel, (batch, model) => batch.Embeddings.Create(
            model,
            EmbeddingInput.Create([.. values]),
            options?.Dimensions,
            sample: SampleOf(options?.AdditionalProperties),
            extra: Sent(options?.AdditionalProperties)));

    // A server with one model needs no name, but Create does: it is removed again.
    private static LlmRequest Build(string? model, Action<RequestBatch, string> create)
    {
        bool isNamed = !string.IsNullOrEmpty(model);
        var batch = new RequestBatch();
        create(batch, isNamed ? model! : "none");
        return isNamed ? batch[0] : batch[0] with { Model = null };
    }

    private static JsonArray? ToTools(IList<AITool>? tools)
    {
        if (tools is not { Count: > 0 })
        {
            return null;
        }

        var all = new JsonArray();
        foreach (AITool tool in tools)
        {
            if (tool is not AIFunctionDeclaration function)
            {
                throw new NotSupportedException(
                    $"A tool of type {tool?.GetType().Name ?? "null"} cannot be sent, "
                    + $"only functions can ({nameof(AIFunctionDeclaration)}).");
            }

            var declared = new JsonObject { ["name"] = function.Name, ["parameters"] = JsonNode.Parse(function.JsonSchema.GetRawText()) };
            if (!string.IsNullOrEmpty(function.Description))
            {
                declared["description"] = function.Description;
            }

            if (IsStrict(function.AdditionalProperties) is { } strict)
            {
                declared["strict"] = strict;
            }

            all.Add((JsonNode)new JsonObject { ["type"] = "function", ["function"] = declared });
        }

        return all;
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

    private static JsonObject? ToFormat(ChatResponseFormat? format, bool? strict)
    {
        if (format is not ChatResponseFormatJson { Schema: { } schema } json)
        {
            return format switch
            {
                ChatResponseFormatJson => new JsonObject { ["type"] = "json_object" },
                ChatResponseFormatText => new JsonObject { ["type"] = "text" },
                _ => null,
            };
        }

        var described = new JsonObject { ["name"] = json.SchemaName ?? "json_schema", ["schema"] = JsonNode.Parse(schema.GetRawText()) };
        if (json.SchemaDescription is { } description)
        {
            described["description"] = description;
        }

        if (strict is { } isStrict)
        {
            described["strict"] = isStrict;
        }

        return new JsonObject { ["type"] = "json_schema", ["json_schema"] = described };
    }

    private static Dictionary<string, object?> ExtraOf(ChatOptions options, bool hasTools)
    {
        Dictionary<string, object?> extra = Sent(options.AdditionalProperties);
        Add("top_k", options.TopK);
        Add("parallel_tool_calls", hasTools ? options.AllowMultipleToolCalls : null);
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
            if (value is not null && !extra.TryAdd(name, value))
            {
                throw new ArgumentException(
                    $"\"{name}\" is given twice: as an option and among {nameof(ChatOptions.AdditionalProperties)}.", nameof(options));
            }
        }
    }

    private static Dictionary<string, object?> Sent(AdditionalPropertiesDictionary? properties) => (properties ?? [])
        .Where(property => property.Key is not (FastLLMChatClient.SampleProperty or Strict))
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

    private static bool? IsStrict(IReadOnlyDictionary<string, object?>? properties) =>
        properties?.TryGetValue(Strict, out object? value) is true && value is bool strict ? strict : null;
}
