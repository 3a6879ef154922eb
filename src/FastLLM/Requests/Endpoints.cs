namespace FastLLM;

/// <summary>The paths of the OpenAI protocol that requests name. They are sent to base URL + what follows <c>/v1</c>.</summary>
public static class Endpoints
{
    /// <summary><c>/v1/chat/completions</c>, where a request goes that names no other.</summary>
    public const string ChatCompletions = "/v1/chat/completions";

    /// <summary><c>/v1/embeddings</c>.</summary>
    public const string Embeddings = "/v1/embeddings";

    /// <summary><c>/v1/responses</c>.</summary>
    public const string Responses = "/v1/responses";

    /// <summary><c>/v1/completions</c>, the older form.</summary>
    public const string Completions = "/v1/completions";
}
