using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json.Nodes;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using OpenAI;

namespace FastLLM.Tests.ExtensionsAI.SideBySide;

/// <summary>Microsoft's OpenAI chat client and that of this library, on one recording server.</summary>
internal sealed class BothClients : IAsyncDisposable
{
    public const string Hello = """{"id":"c1","object":"chat.completion","created":1735689600,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}""";

    private readonly FaultServer _server;

    public BothClients(string answer, bool streams = false)
        : this(FaultServer.Start(Fault.Respond(200, answer, ("Content-Type", streams ? "text/event-stream" : "application/json"))))
    {
    }

    public BothClients(FaultServer server)
    {
        _server = server;
        Manager = new RequestManager(new OpenAIProvider("k", _server.ApiBase), new RequestManagerOptions { ShowProgress = false, RetryAttempts = 1 });
        Ours = new FastLLMChatClient(Manager, "m");
        Theirs = new OpenAIClient(new ApiKeyCredential("k"), new OpenAIClientOptions { Endpoint = _server.BaseUrl, RetryPolicy = new ClientRetryPolicy(0) })
            .GetChatClient("m").AsIChatClient();
    }

    /// <summary>The manager of <see cref="Ours"/>.</summary>
    public RequestManager Manager { get; }

    public IChatClient Ours { get; }

    public IChatClient Theirs { get; }

    /// <summary>The bodies that arrived, in order.</summary>
    public IReadOnlyList<JsonNode> Bodies => [.. _server.Requests.Select(request => JsonNode.Parse(request.Body.Span)!)];

    public async ValueTask DisposeAsync()
    {
        Ours.Dispose();
        Theirs.Dispose();
        await Manager.DisposeAsync();
        await _server.DisposeAsync();
    }
}
