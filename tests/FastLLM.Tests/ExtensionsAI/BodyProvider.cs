using System.Collections.Concurrent;
using System.Text;

namespace FastLLM.Tests.ExtensionsAI;

/// <summary>A provider that answers each request with a body, or fails, as a script says.</summary>
internal sealed class BodyProvider(Func<LlmRequest, string> script) : Provider<LlmResponse>("", "http://scripted.test/v1")
{
    public const string Hello = """{"id":"c1","object":"chat.completion","created":1735689600,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}}""";

    public ConcurrentQueue<LlmRequest> Requests { get; } = new();

    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

    public override Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Requests.Enqueue(request);
        return Task.FromResult(LlmResponse.FromBody(Encoding.UTF8.GetBytes(script(request))));
    }
}
