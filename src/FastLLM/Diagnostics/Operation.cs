namespace FastLLM.Diagnostics;

/// <summary>Represents what all sends with one endpoint and one model have in common, as telemetry describes it.</summary>
internal sealed class Operation
{
    private readonly AnswerTags _unnamed;
    private AnswerTags _answers;

    public Operation(string endpoint, string? model, ProviderIdentity provider)
    {
        Endpoint = endpoint;
        Model = model;
        Name = endpoint switch
        {
            Endpoints.ChatCompletions or Endpoints.Responses => "chat",
            Endpoints.Embeddings => "embeddings",
            Endpoints.Completions => "text_completion",
            _ => endpoint[(endpoint.LastIndexOf('/') + 1)..],
        };
        SpanName = string.IsNullOrEmpty(model) ? Name : $"{Name} {model}";
        CounterTags = string.IsNullOrEmpty(model)
            ? [new(Telemetry.OperationName, Name), provider.Tags[0]]
            : [new(Telemetry.OperationName, Name), new(Telemetry.RequestModel, model), provider.Tags[0]];
        Tags = [.. CounterTags, .. provider.Tags[1..]];
        _answers = _unnamed = new AnswerTags(Tags, model: null);
    }

    public string Endpoint { get; }

    public string? Model { get; }

    /// <summary>Gets the value of <c>gen_ai.operation.name</c>.</summary>
    public string Name { get; }

    public string SpanName { get; }

    /// <summary>Gets the attributes of every measurement.</summary>
    public KeyValuePair<string, object?>[] Tags { get; }

    /// <summary>Gets the attributes of FastLLM's own counters: the same without the address, since each attribute costs time.</summary>
    public KeyValuePair<string, object?>[] CounterTags { get; }

    /// <summary>Gets the attributes of the measurements of an answer. The model that answers rarely changes, so they are not made each
    /// time.</summary>
    /// <param name="body">The answer; empty if there is none that can be read.</param>
    public AnswerTags TagsOf(ReadOnlySpan<byte> body)
    {
        AnswerTags last = Volatile.Read(ref _answers);
        string? model = AnswerFacts.First(body, "\"model\""u8, last.Model, Model);
        if (model is null || ReferenceEquals(model, last.Model))
        {
            return model is null ? _unnamed : last;
        }

        last = new AnswerTags(Tags, model);
        Volatile.Write(ref _answers, last);
        return last;
    }

    public bool IsOf(LlmRequest request) => string.Equals(Model, request.Model, StringComparison.Ordinal)
        && string.Equals(Endpoint, request.Endpoint, StringComparison.Ordinal);
}
