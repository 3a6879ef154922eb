using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Pipeline;
using FastLLM.Providers;
using Microsoft.Extensions.AI;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI;

public sealed class AsProviderTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Response_IsInOpenAIsFormatAndCached()
    {
        using var fake = new FakeChatClient((_, options) => new ChatResponse(new ChatMessage(ChatRole.Assistant, "hello"))
        {
            ResponseId = "r1",
            CreatedAt = DateTimeOffset.FromUnixTimeSeconds(1735689600),
            FinishReason = ChatFinishReason.Length,
            Usage = new UsageDetails { InputTokenCount = 5, OutputTokenCount = 2, CachedInputTokenCount = 3, ReasoningTokenCount = 1 },
        });
        await using var cache = new InMemoryCache();
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", ["hi"]);
        batch.Chat.Completions.Create("m", ["hi"]);

        foreach (bool hit in (bool[])[false, true])
        {
            await using var manager = new RequestManager(fake.AsProvider(), new RequestManagerOptions { ShowProgress = false, Cache = cache });
            IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(batch, Cancel);
            var completion = Assert.IsType<ChatCompletion>(outcomes[1].Response);
            Assert.Equal(("hello", "length", "r1", "m"), (completion.Text, completion.FinishReason, completion.Id, completion.Model));
            Assert.Equal((5, 2, 7), (completion.Usage!.PromptTokens, completion.Usage.CompletionTokens, completion.Usage.TotalTokens));
            Assert.Equal((3, 1), (completion.Usage.CachedTokens, completion.Usage.ReasoningTokens));
            Assert.Equal("chat.completion", completion.Json.GetProperty("object").GetString());
            Assert.Equal(hit, outcomes[0].IsCacheHit);
        }

        Assert.Single(fake.Calls);
    }

    [Fact]
    public async Task Request_BecomesMessagesAndOptions()
    {
        using var fake = Answering("ok");
        LlmRequest request = LlmRequest.FromJson("""
            {"model":"m","temperature":0.1,"top_p":0.9,"presence_penalty":0.3,"frequency_penalty":-0.3,"max_completion_tokens":5,"seed":7,"stop":"x","top_k":4,"stream":true,
             "reasoning_effort":"high","parallel_tool_calls":false,"logit_bias":{"1":2},"user":null,"tool_choice":{"type":"function","function":{"name":"f"}},
             "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
             "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":true}},
             "messages":[{"role":"system","content":"s"},{"role":"user","name":"ann","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"http://x.test/a.png","detail":"low"}},
               {"type":"image_url","image_url":{"url":"data:image/png;base64,AQI="}},{"type":"input_audio","input_audio":{"data":"AQ==","format":"mp3"}},{"type":"file","file":{"file_id":"f1"}}]},
               {"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{ \"a\": 1 }"}}]},
               {"role":"tool","tool_call_id":"t1","content":"rain"}]}
            """);

        await Run(fake, request);

        (IReadOnlyList<ChatMessage> messages, ChatOptions? options) = fake.Calls.Single();
        Assert.Equal(("m", 0.1f, 0.9f, 0.3f, -0.3f), (options!.ModelId, options.Temperature, options.TopP, options.PresencePenalty, options.FrequencyPenalty));
        Assert.Equal((5, 7, 4, false), (options.MaxOutputTokens, options.Seed, options.TopK, options.AllowMultipleToolCalls));
        Assert.Equal(["x"], options.StopSequences!);
        Assert.Equal(ReasoningEffort.High, options.Reasoning!.Effort);
        Assert.Equal("f", Assert.IsType<RequiredChatToolMode>(options.ToolMode).RequiredFunctionName);
        Assert.Equal(("f", "d"), (options.Tools!.Single().Name, options.Tools![0].Description));
        Assert.Equal("s", Assert.IsType<ChatResponseFormatJson>(options.ResponseFormat).SchemaName);
        Assert.Equal(["logit_bias", "strictJsonSchema"], options.AdditionalProperties!.Keys.Order());
        Assert.Equal(["system", "user", "assistant", "tool"], messages.Select(message => message.Role.Value));
        Assert.Equal(("ann", "see"), (messages[1].AuthorName, messages[1].Text));
        Assert.Equal("image/png", Assert.IsType<UriContent>(messages[1].Contents[1]).MediaType);
        Assert.Equal([1, 2], Assert.IsType<DataContent>(messages[1].Contents[2]).Data.ToArray());
        Assert.Equal("audio/mpeg", Assert.IsType<DataContent>(messages[1].Contents[3]).MediaType);
        Assert.Equal("f1", Assert.IsType<HostedFileContent>(messages[1].Contents[4]).FileId);
        Assert.Equal("1", Assert.IsType<FunctionCallContent>(messages[2].Contents.Single()).Arguments!["a"]!.ToString());
        Assert.Equal("rain", Assert.IsType<FunctionResultContent>(messages[3].Contents.Single()).Result);
    }

    [Fact]
    public async Task Request_ThroughChatClient_IsTheSame()
    {
        LlmRequest request = LlmRequest.FromJson("""
            {"model":"m","temperature":0.1,"top_p":0.95,"max_completion_tokens":5,"seed":7,"stop":["x","y"],"logit_bias":{"1":2},"tool_choice":"auto","n":2,
             "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}],
             "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":false}},
             "messages":[{"role":"developer","content":"s"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"http://x.test/a.png","detail":"low"}}]},
               {"role":"assistant","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{ \"a\": 1 }"}}]},{"role":"tool","tool_call_id":"t1","content":"rain"}]}
            """);
        var provider = new BodyProvider(_ => BodyProvider.Hello);
        await using var inner = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false });
        using var client = new FastLLMChatClient(inner);

        await Run(client, request);

        Assert.Equal(request.Key, provider.Requests.Single().Key);
    }

    [Fact]
    public async Task ToolCalls_AnsweredByTheClient_AreLeftOut()
    {
        using var fake = new FakeChatClient((_, _) => new ChatResponse(
        [
            new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("t1", "f")]),
            new ChatMessage(ChatRole.Tool, [new FunctionResultContent("t1", "rain")]),
            new ChatMessage(ChatRole.Assistant, [new TextReasoningContent("hm"), new FunctionCallContent("t2", "g", new Dictionary<string, object?> { ["a"] = 1.5, ["b"] = null })]),
        ]));

        var completion = Assert.IsType<ChatCompletion>((await Run(fake, LlmRequest.FromPrompt(null, "hi", "m"))).Response);

        Assert.Equal(new ToolCall("t2", new FunctionCall("g", """{"a":1.5,"b":null}""")), Assert.Single(completion.ToolCalls));
        Assert.Equal((null, "tool_calls", "hm"), (completion.Text, completion.FinishReason, completion.Reasoning));
        Assert.Null(completion.Usage);
    }

    [Fact]
    public async Task Exceptions_AreHandledByTheFailureTable()
    {
        Assert.Equal(FailureKind.Timeout, await KindOf(new TimeoutException("slow")));
        Assert.Equal(FailureKind.ConnectionLost, await KindOf(new HttpRequestException("gone")));
        Assert.Equal(FailureKind.ContextLength, await KindOf(new LlmException(FailureKind.ContextLength, "long")));
        Assert.Equal(FailureKind.Provider, await KindOf(new InvalidOperationException("odd")));

        static async Task<FailureKind?> KindOf(Exception exception)
        {
            using var fake = new FakeChatClient((_, _) => throw exception);
            return (await Run(fake, LlmRequest.FromPrompt(null, "hi", "m"))).Error?.Kind;
        }
    }

    [Theory]
    [InlineData("""{"model":"m","input":"x"}""", FailureKind.NotSupported)]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"video_url"}]}]}""", FailureKind.NotSupported)]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"web_search"}]}""", FailureKind.NotSupported)]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"function"}]}""", FailureKind.InvalidRequest)]
    public async Task Request_Unsupported_FailsWithoutACall(string body, FailureKind kind)
    {
        using var fake = Answering("ok");

        Assert.Equal(kind, (await Run(fake, LlmRequest.FromJson(body))).Error?.Kind);
        Assert.Empty(fake.Calls);
    }

    [Fact]
    public void CacheScope_IsMetadataWithoutSecrets()
    {
        using var bare = Answering("ok");
        using var known = new FakeChatClient((_, _) => new ChatResponse(), new ChatClientMetadata("acme", new Uri("https://me:secret@acme.test/v1/?key=secret"), "big"));
        using var odd = new FakeChatClient((_, _) => new ChatResponse(), new ChatClientMetadata(null, new Uri("pipe://x"), "big"));

        Assert.Equal("chatclient FastLLM.Tests.ExtensionsAI.FakeChatClient", bare.AsProvider().CacheScope);
        Assert.Equal("chatclient acme https://acme.test/v1 big", known.AsProvider().CacheScope);
        Assert.Equal("chatclient big", odd.AsProvider().CacheScope);
        Assert.Equal("mine", known.AsProvider("mine").CacheScope);
        Assert.Throws<ArgumentNullException>(() => ((IChatClient)null!).AsProvider());
    }

    private static FakeChatClient Answering(string text) => new((_, _) => new ChatResponse(new ChatMessage(ChatRole.Assistant, text)));

    private static async Task<ResponseWrapper<LlmResponse>> Run(IChatClient client, LlmRequest request)
    {
        await using var manager = new RequestManager(client.AsProvider(), new RequestManagerOptions { ShowProgress = false, RetryAttempts = 1 });
        return (await manager.ProcessBatchAsync([request], Cancel))[0];
    }
}
