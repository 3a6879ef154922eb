namespace FastLLM;

/// <summary>Defines the endpoint paths of the OpenAI protocol. A request is sent to the base URL plus the part after <c>/v1</c>.</summary>
public static class Endpoints
{
    /// <summary><c>/v1/chat/completions</c>, the default.</summary>
    public const string ChatCompletions = "/v1/chat/completions";

    /// <summary><c>/v1/embeddings</c>.</summary>
    public const string Embeddings = "/v1/embeddings";

    /// <summary><c>/v1/responses</c>.</summary>
    public const string Responses = "/v1/responses";

    /// <summary><c>/v1/completions</c>, the older form.</summary>
    public const string Completions = "/v1/completions";
}
