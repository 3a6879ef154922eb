using System.Text;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.PublicApi;

/// <summary>The signatures that programs from outside rely on, line by line.</summary>
public sealed class SignatureBlockTests
{
    private static CancellationToken cancellationToken => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SignatureBlock_Compiles()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: cancellationToken);
        string apiKey = "no-key-needed", apiBase = simulator.ApiBase;
        var cache = new InMemoryCache();
        await using var manager = new RequestManager(new OpenAIProvider(apiKey, apiBase), new RequestManagerOptions { Concurrency = 100, Cache = cache });
        var batch = new RequestBatch();
        string id = batch.Chat.Completions.Create(model: "m", messages: [Message.System("Be brief."), Message.User("Hello!")], temperature: 0.2, maxCompletionTokens: 5);
        string e = batch.Embeddings.Create(model: "e", input: ["a", "b"]);
        IReadOnlyList<ResponseWrapper<LlmResponse>> responses = await manager.ProcessBatchAsync(batch, cancellationToken);
        string text = responses[0].Response is ChatCompletion chat ? chat.Text! : "";
        Assert.Equal(SimulatorAnswers.ChatText(batch[0].Body.Span), text);
        Assert.Equal([id, e], responses.Select(r => r.RequestId));
        Assert.Equal([0L, 1L], responses.Select(r => r.OrderId));

        ReadOnlyMemory<float> vector = responses[1].Embeddings[0];
        Assert.Equal(SimulatorAnswers.Embedding("a", vector.Length), vector.ToArray());
        Assert.Equal(2, responses[1].Embeddings.Count);
        Assert.True(responses[1].IsEmbeddingResponse);

        var other = new RequestBatch();
        RequestBatch both = RequestBatch.Merge([batch, other]);
        Assert.Equal(2, both.Count);

        Usage usage = responses[0].Usage!;
        (long prompt, long completion, long total, long cached, long reasoning) = (usage.PromptTokens, usage.CompletionTokens, usage.TotalTokens, usage.CachedTokens, usage.ReasoningTokens);
        Assert.Equal((total, 0L, 0L), (prompt + completion, cached, reasoning));

        bool known = await cache.ExistsAsync(id, cancellationToken: cancellationToken);
        Assert.True(known);

        LlmRequest request = LlmRequest.FromPrompt("openai", "Hello!") with { Model = "m", Temperature = 1.0 };
        string same = batch.Add(request);
        string said = request.Messages[^1].Content!.ToString();
        Assert.Equal(("Hello!", request.Key.ToString(), "openai"), (said, same, request.Provider));

        ReadOnlySpan<byte> utf8Body = """{"model":"m","temperature":1,"messages":[{"role":"user","content":"Hello!"}]}"""u8;
        string key = RequestKey.Compute("/v1/chat/completions", utf8Body).ToString();
        Assert.Equal(same, key);
    }

    [Fact]
    public async Task Failure_IsThrownWhenTheResponseIsRead()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(400, """{"error":{"message":"This model's maximum context length is 4096 tokens","type":"BadRequestError","param":null,"code":400}}"""));
        await using var manager = new RequestManager(new OpenAIProvider("k", server.ApiBase));
        IReadOnlyList<ResponseWrapper<LlmResponse>> responses = await manager.ProcessBatchAsync([LlmRequest.FromPrompt("p", "hi", "m")], cancellationToken);

        bool tooLong = responses[0].Error is { Kind: FailureKind.ContextLength, StatusCode: 400 };
        Assert.True(tooLong);
        Assert.False(responses[0].IsSuccess);
        Assert.Same(responses[0].Error, Assert.Throws<LlmException>(() => responses[0].Response));
        Assert.Same(responses[0].Error, Assert.Throws<LlmException>(() => ((ResponseWrapper)responses[0]).Response));
    }

    [Fact]
    public async Task CustomProvider_GetsCacheAndSharing()
    {
        var shout = new Shout(" key ", "http://localhost/v1/");
        await using var cache = new InMemoryCache();
        await using (var manager = new RequestManager<string>(shout, new RequestManagerOptions { Cache = cache }))
        {
            IReadOnlyList<ResponseWrapper<string>> responses = await manager.ProcessBatchAsync([LlmRequest.FromPrompt("p", "hi"), LlmRequest.FromPrompt("p", "hi")], cancellationToken);
            Assert.All(responses, response => Assert.Equal("HI key http://localhost/v1 h", response.Response));
            Assert.Equal([1, 0], responses.Select(response => response.Attempts).OrderDescending());
        }

        // The manager closes no cache that it was given.
        await using var second = new RequestManager<string>(shout, new RequestManagerOptions { Cache = cache });
        Assert.True((await second.ProcessBatchAsync([LlmRequest.FromPrompt("p", "hi")], cancellationToken))[0].IsCacheHit);
        Assert.Equal(1, shout.Sends);
    }

    [Fact]
    public async Task Process_SequenceStreamAndSynchronous_AreEquivalent()
    {
        await using var manager = new RequestManager<string>(new Shout("k", "http://localhost"));
        LlmRequest[] requests = [.. Enumerable.Range(0, 20).Select(i => LlmRequest.FromPrompt("p", $"q{i}"))];
        string[] expected = [.. Enumerable.Range(0, 20).Select(i => $"Q{i} k http://localhost h")];

        Assert.Equal(expected, (await manager.ProcessBatchAsync(requests, cancellationToken)).Select(r => r.Response));
        Assert.Equal(expected, manager.ProcessBatch(requests, cancellationToken).Select(r => r.Response));
        var streamed = new List<ResponseWrapper<string>>();
        await foreach (ResponseWrapper<string> outcome in manager.ProcessAsync(requests.ToAsyncEnumerable(), cancellationToken))
        {
            streamed.Add(outcome);
        }

        Assert.Equal(expected, streamed.OrderBy(r => r.OrderId).Select(r => r.Response));
        Assert.Empty(await manager.ProcessBatchAsync([], cancellationToken));
        await Assert.ThrowsAsync<ArgumentNullException>(() => manager.ProcessBatchAsync(null!, cancellationToken));
        await Assert.ThrowsAsync<ArgumentException>(() => manager.ProcessBatchAsync([requests[0], null!], cancellationToken));
    }

    [Fact]
    public void CustomProviderSample_HasFewerThanFortyLines()
    {
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "samples", "own-provider.cs"));
        int start = Array.FindIndex(lines, line => line.StartsWith("internal sealed class Shout", StringComparison.Ordinal));
        int end = Array.FindIndex(lines, start, line => line == "}");

        Assert.InRange(end - start + 1, 10, 39);
    }

    private sealed class Shout(string apiKey, string apiBase) : Provider<string>(apiKey, apiBase, new Dictionary<string, string> { ["x-h"] = "h" })
    {
        private int _sends;

        public int Sends => _sends;

        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => Headers;

        public override Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _sends);
            return Task.FromResult($"{request.Messages[^1].Content!.ToString().ToUpperInvariant()} {ApiKey} {ApiBase} {Headers["x-h"]}");
        }
    }
}
