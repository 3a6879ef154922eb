using FastLLM.Simulator;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI;

public sealed class SingleCallTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Response_CachedOrOwn_IsSaidAndCountedOnce()
    {
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager(new BodyProvider(_ => BodyProvider.Hello), new RequestManagerOptions
        {
            ShowProgress = false, Cache = cache, Prices = PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = 1, Output = 2 }, ["m-1"] = new() { Input = 1, Output = 2 } }),
        });
        using var client = new FastLLMChatClient(manager, "m");

        ChatResponse own = await client.GetResponseAsync("a", cancellationToken: Cancel);
        ChatResponse cached = await client.GetResponseAsync("a", cancellationToken: Cancel);

        Assert.Equal((false, false, 1), (own.AdditionalProperties!["fastllm.cached"], own.AdditionalProperties["fastllm.shared"], own.AdditionalProperties["fastllm.sends"]));
        Assert.True((decimal)own.AdditionalProperties["fastllm.cost"]! > 0);
        Assert.Equal(7, own.Usage!.TotalTokenCount);
        Assert.False(own.AdditionalProperties.ContainsKey(FastLLMProperties.Usage));
        Assert.Equal((true, false, 0, 0m), (cached.AdditionalProperties!["fastllm.cached"], cached.AdditionalProperties["fastllm.shared"], cached.AdditionalProperties["fastllm.sends"], cached.AdditionalProperties["fastllm.cost"]));
        Assert.Null(cached.Usage);
        Assert.Equal(7, ((UsageDetails)cached.AdditionalProperties[FastLLMProperties.Usage]!).TotalTokenCount);
    }

    [Fact]
    public async Task GetResponseAsync_ProviderThrottles_FailsAfterMaxWaitWithItsOwnMessage()
    {
        var time = new ManualTimeProvider();
        var log = new LogSignals();
        var provider = new BodyProvider(_ => throw new LlmException(FailureKind.Overloaded, "Come back later.") { StatusCode = 503, RetryAfter = TimeSpan.FromMinutes(4) });
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false, TimeProvider = time, Logger = log });
        using var client = new FastLLMChatClient(manager);
        using var generator = new FastLLMEmbeddingGenerator(manager);

        Task<ChatResponse> call = client.GetResponseAsync("a", cancellationToken: Cancel);
        Task<GeneratedEmbeddings<Embedding<float>>> other = generator.GenerateAsync(["a"], cancellationToken: Cancel);
        await log.WaitForAsync("RetryScheduled", Cancel, 2);
        time.Advance(TimeSpan.FromSeconds(60));

        foreach (Task task in (Task[])[call, other])
        {
            LlmException failure = await Assert.ThrowsAsync<LlmException>(() => task);
            Assert.Equal((FailureKind.Overloaded, 503), (failure.Kind, failure.StatusCode));
            Assert.StartsWith("No answer within 60 s, so the call was given up. The last send failed: Come back later.", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Canceled_HasTheTokenOfTheCaller()
    {
        var provider = new HeldProvider(_ => new TaskCompletionSource().Task, _ => BodyProvider.Hello);
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false });
        using var client = new FastLLMChatClient(manager);
        using var source = new CancellationTokenSource();

        Task<ChatResponse> call = client.GetResponseAsync("a", cancellationToken: source.Token);
        await source.CancelAsync();

        OperationCanceledException canceled = await Assert.ThrowsAsync<OperationCanceledException>(() => call);
        Assert.Equal((source.Token, "The call was canceled."), (canceled.CancellationToken, canceled.Message));
    }

    [Fact]
    public async Task MaxWait_Defaults()
    {
        await using var manager = new RequestManager(new BodyProvider(_ => BodyProvider.Hello), new RequestManagerOptions { ShowProgress = false });
        await using var total = new RequestManager(new BodyProvider(_ => BodyProvider.Hello), new RequestManagerOptions { ShowProgress = false, TotalTimeout = TimeSpan.FromMinutes(5) });

        Assert.Equal(TimeSpan.FromSeconds(60), new FastLLMChatClient(manager).MaxWait);
        Assert.Equal(Timeout.InfiniteTimeSpan, new FastLLMChatClient(total).MaxWait);
        Assert.Equal(TimeSpan.FromSeconds(5), new FastLLMEmbeddingGenerator(manager) { MaxWait = TimeSpan.FromSeconds(5) }.MaxWait);
        Assert.Throws<ArgumentOutOfRangeException>(() => new FastLLMChatClient(manager) { MaxWait = TimeSpan.Zero });
    }

    [Fact]
    public async Task ParallelCalls_WithEqualQuestions_AreSentOnceEach_HalfOfThemStreamed()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { TokensPerSecond = 50 }, Cancel);
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), new RequestManagerOptions { ShowProgress = false, Cache = cache });
        using var client = new FastLLMChatClient(manager, "m");

        string[] texts = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i => i % 40 < 20
            ? (await client.GetResponseAsync($"question {i % 20}", cancellationToken: Cancel)).Text
            : (await client.GetStreamingResponseAsync($"question {i % 20}", cancellationToken: Cancel).ToChatResponseAsync(Cancel)).Text));

        Assert.Equal(20, simulator.Stats.Sends);
        Assert.All(texts, (text, i) => Assert.EndsWith($": question {i % 20}", text, StringComparison.Ordinal));
        Assert.Equal(20, texts.Distinct().Count());
    }

    [Fact]
    public async Task Json_ReadByManyThreads_IsAlwaysWhole()
    {
        // Equal calls share one response object.
        for (var round = 0; round < 200; round++)
        {
            LlmResponse response = LlmResponse.FromBody("""{"id":"c1","object":"chat.completion","choices":[]}"""u8.ToArray());
            using var start = new Barrier(4);
            string?[] ids = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait(Cancel);
                    return response.Id;
                },
                Cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

            Assert.All(ids, id => Assert.Equal("c1", id));
        }
    }

    [Fact]
    public async Task ContinuationToken_IsRefusedByName_PermissionForTheBackgroundIsNotUsed()
    {
        await using var manager = new RequestManager(new BodyProvider(_ => BodyProvider.Hello), new RequestManagerOptions { ShowProgress = false });
        using var client = new FastLLMChatClient(manager, "m");
        var token = ResponseContinuationToken.FromBytes(new byte[] { 1 });

        NotSupportedException refused = await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync("a", new ChatOptions { ContinuationToken = token }, Cancel));
        ChatResponse answered = await client.GetResponseAsync("a", new ChatOptions { AllowBackgroundResponses = true }, Cancel);

        Assert.Contains("ChatOptions.ContinuationToken", refused.Message, StringComparison.Ordinal);
        Assert.Equal(("hello", null), (answered.Text, answered.ContinuationToken));
    }
}
