namespace FastLLM.Diagnostics;

/// <summary>Represents what all sends with one endpoint and one model have in common, as telemetry describes it.</summary>
internal sealed class Operation
{
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
    }

    public string Endpoint { get; }

    public string? Model { get; }

    /// <summary>Gets the value of <c>gen_ai.operation.name</c>.</summary>
    public string Name { get; }

    public string SpanName { get; }

    /// <summary>Gets the attributes of every measurement: at most five, so that three more fit without an allocation.</summary>
    public KeyValuePair<string, object?>[] Tags { get; }

    /// <summary>Gets the attributes of FastLLM's own counters: the same without the address, since each attribute costs time.</summary>
    public KeyValuePair<string, object?>[] CounterTags { get; }

    /// <summary>Gets or sets the model that answered last: it rarely changes, and need not be a new string each time.</summary>
    public string? LastResponseModel { get; set; }

    public bool IsOf(LlmRequest request) => string.Equals(Model, request.Model, StringComparison.Ordinal)
        && string.Equals(Endpoint, request.Endpoint, StringComparison.Ordinal);
}
