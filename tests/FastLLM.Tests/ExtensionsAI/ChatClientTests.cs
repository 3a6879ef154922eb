using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Providers;
using FastLLM.Simulator;
using Microsoft.Extensions.AI;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI;

public sealed class ChatClientTests
{
    private const string Schema = """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GetResponseAsync_IsTheRequestOfCreate()
    {
        var function = AIFunctionFactory.CreateDeclaration("weather", "Tells the weather.", JsonElement.Parse(Schema));
        LlmRequest asked = await RequestOf(
            [
                new(ChatRole.System, "Be brief."),
                new(ChatRole.User, "Hello!") { AuthorName = "ann" },
                new(ChatRole.User, [new TextContent("What is it?"), new UriContent("http://x.test/a.png", "image/png"), new DataContent(new byte[] { 1, 2 }, "image/png")]),
                new(ChatRole.Assistant, [new TextContent("I look."), new FunctionCallContent("c1", "weather", new Dictionary<string, object?> { ["city"] = "Łódź" })]),
                new(ChatRole.Tool, [new FunctionResultContent("c1", "rain"), new FunctionResultContent("c2", new Dictionary<string, object?> { ["t"] = 3 })]),
            ],
            new ChatOptions
            {
                ModelId = "m",
                Temperature = 0.1f,
                TopP = 0.9f,
                MaxOutputTokens = 5,
                StopSequences = ["\n", "."],
                Seed = 7,
                PresencePenalty = 0.3f,
                FrequencyPenalty = -0.3f,
                ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse(Schema), "place", "A place."),
                Tools = [function],
                ToolMode = ChatToolMode.RequireSpecific("weather"),
                AdditionalProperties = new() { ["user"] = "u1", ["logit_bias"] = new Dictionary<string, object?> { ["50256"] = -100 }, ["top_a"] = 0.2f },
            });

        var batch = new RequestBatch();
        string id = batch.Chat.Completions.Create(
            "m",
            [
                Message.System("Be brief."),
                Message.User("Hello!") with { Name = "ann" },
                Message.User([ContentPart.FromText("What is it?"), ContentPart.FromImage("http://x.test/a.png"), ContentPart.FromImage([1, 2], "image/png")]),
                Message.Assistant("I look.") with { ToolCalls = [new ToolCall("c1", new FunctionCall("weather", """{"city":"Łódź"}"""))] },
                Message.Tool("c1", "rain"),
                Message.Tool("c2", """{"t":3}"""),
            ],
            temperature: 0.1,
            topP: 0.9,
            maxCompletionTokens: 5,
            stop: ["\n", "."],
            seed: 7,
            presencePenalty: 0.3,
            frequencyPenalty: -0.3,
            responseFormat: JsonNode.Parse($$$"""{"type":"json_schema","json_schema":{"name":"place","description":"A place.","schema":{{{Schema}}}}}"""),
            tools: [JsonNode.Parse($$$"""{"type":"function","function":{"name":"weather","description":"Tells the weather.","parameters":{{{Schema}}}}}""")],
            toolChoice: JsonNode.Parse("""{"type":"function","function":{"name":"weather"}}"""),
            user: "u1",
            extra: new Dictionary<string, object?> { ["logit_bias"] = new Dictionary<string, object?> { ["50256"] = -100 }, ["top_a"] = 0.2f });

        Assert.Equal(Encoding.UTF8.GetString(batch[0].Body.Span).Length, Encoding.UTF8.GetString(asked.Body.Span).Length);
        Assert.Equal(id, asked.Key.ToString());
    }

    [Fact]
    public async Task Options_NotSet_AreNotSent()
    {
        LlmRequest asked = await RequestOf([new(ChatRole.User, "hi")], null);

        Assert.Equal("""{"messages":[{"content":"hi","role":"user"}]}""", Encoding.UTF8.GetString(asked.Body.Span));
    }

    [Fact]
    public async Task AdditionalProperties_AreSent()
    {
        LlmRequest asked = await RequestOf([new(ChatRole.User, "hi")], new ChatOptions
        {
            ModelId = "m",
            Instructions = "Be kind.",
            TopK = 4,
            ResponseFormat = ChatResponseFormat.Json,
            Tools = [AIFunctionFactory.CreateDeclaration("f", null, JsonElement.Parse("{}"))],
            ToolMode = ChatToolMode.RequireAny,
            AllowMultipleToolCalls = false,
            Reasoning = new ReasoningOptions { Effort = ReasoningEffort.Low },
            AdditionalProperties = new() { [FastLLMChatClient.SampleProperty] = 2 },
        });

        JsonNode body = JsonNode.Parse(asked.Body.Span)!;
        Assert.Equal(2, asked.Sample);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""
            {"model":"m","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"hi"}],"top_k":4,"response_format":{"type":"json_object"},
             "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{},"required":[],"additionalProperties":false}}}],"tool_choice":"required","parallel_tool_calls":false,"reasoning_effort":"low"}
            """), body), body.ToJsonString());
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("none")]
    public async Task ToolMode_IsSentOnlyWithTools(string mode)
    {
        ChatToolMode toolMode = mode == "none" ? ChatToolMode.None : ChatToolMode.Auto;
        LlmRequest with = await RequestOf([new(ChatRole.User, "hi")], new ChatOptions { ToolMode = toolMode, Tools = [AIFunctionFactory.CreateDeclaration("f", null, JsonElement.Parse("{}"))] });
        LlmRequest without = await RequestOf([new(ChatRole.User, "hi")], new ChatOptions { ToolMode = toolMode, ResponseFormat = ChatResponseFormat.Text });

        Assert.Equal(mode, with.AdditionalParameters!["tool_choice"].GetString());
        Assert.False(without.AdditionalParameters!.ContainsKey("tool_choice"));
        Assert.Equal("text", without.AdditionalParameters["response_format"].GetProperty("type").GetString());
    }

    [Fact]
    public async Task Contents_BecomeContentParts()
    {
        ContentPart own = ContentPart.FromJson("""{"type":"video_url","video_url":{"url":"http://x.test/v"}}""");
        LlmRequest asked = await RequestOf(
            [
                new(ChatRole.User,
                [
                    new DataContent(new byte[] { 1 }, "audio/mpeg"),
                    new DataContent(new byte[] { 2 }, "application/pdf") { Name = "a.pdf" },
                    new HostedFileContent("f1"),
                    new UriContent("http://x.test/b.png", "image/png") { AdditionalProperties = new() { ["detail"] = "low" } },
                    new AIContent { RawRepresentation = own },
                ]),
                new(new ChatRole("developer"), "d"),
                new(ChatRole.Assistant, [new TextReasoningContent("hm"), new UsageContent(), new ErrorContent("no") { ErrorCode = "Refusal" }]),
                new(ChatRole.User, (string?)null),
            ],
            null);

        JsonNode messages = JsonNode.Parse(asked.Body.Span)!["messages"]!;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""
            [{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AQ==","format":"mp3"}},
              {"type":"file","file":{"file_data":"data:application/pdf;base64,Ag==","filename":"a.pdf"}},{"type":"file","file":{"file_id":"f1"}},
              {"type":"image_url","image_url":{"url":"http://x.test/b.png","detail":"low"}},{"type":"video_url","video_url":{"url":"http://x.test/v"}}]},
             {"role":"developer","content":"d"},{"role":"assistant","content":"","refusal":"no"},{"role":"user","content":""}]
            """), messages), messages.ToJsonString());
    }

    [Fact]
    public async Task Contents_Unsupported_Throw()
    {
        var provider = new BodyProvider(_ => BodyProvider.Hello);
        await using var manager = ManagerOf(provider);
        using var client = new FastLLMChatClient(manager, "m");

        await Assert.ThrowsAsync<ArgumentNullException>(() => client.GetResponseAsync((IEnumerable<ChatMessage>)null!, cancellationToken: Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() => client.GetResponseAsync([], cancellationToken: Cancel));
        Assert.Contains("AIContent", (await Assert.ThrowsAsync<NotSupportedException>(() => Ask(new ChatMessage(ChatRole.User, [new AIContent()]), null))).Message, StringComparison.Ordinal);
        Assert.Contains("HostedCodeInterpreterTool", (await Assert.ThrowsAsync<NotSupportedException>(() => Ask("hi", new() { Tools = [new HostedCodeInterpreterTool()] }))).Message, StringComparison.Ordinal);
        Assert.Contains("Temperature", (await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Ask("hi", new() { Temperature = 2.5f }))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Ask("hi", new() { Temperature = float.NaN }));
        await Assert.ThrowsAsync<ArgumentException>(() => Ask("hi", new() { AdditionalProperties = new() { ["temperature"] = 1 } }));
        await Assert.ThrowsAsync<ArgumentException>(() => Ask("hi", new() { TopK = 1, AdditionalProperties = new() { ["top_k"] = 1 } }));
        await Assert.ThrowsAsync<ArgumentException>(() => Ask("hi", new() { AdditionalProperties = new() { [FastLLMChatClient.SampleProperty] = "x" } }));
        Assert.Empty(provider.Requests);

        Task Ask(object message, ChatOptions? options) =>
            client.GetResponseAsync(message as ChatMessage ?? new ChatMessage(ChatRole.User, (string)message), options, Cancel);
    }

    [Fact]
    public async Task Response_HasAllFields()
    {
        await using var manager = ManagerOf(new BodyProvider(_ => BodyProvider.Hello));
        using var client = new FastLLMChatClient(manager);

        ChatResponse response = await client.GetResponseAsync("hi", cancellationToken: Cancel);

        Assert.Equal(("hello", "c1", "m-1", ChatFinishReason.Stop), (response.Text, response.ResponseId, response.ModelId, response.FinishReason));
        Assert.Equal((5, 2, 7), (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount));
        Assert.Equal((3, 1), (response.Usage.CachedInputTokenCount, response.Usage.ReasoningTokenCount));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1735689600), response.CreatedAt);
        Assert.Equal("hello", Assert.IsType<ChatCompletion>(response.RawRepresentation).Text);
    }

    [Fact]
    public async Task Response_HalvesOfSurrogatePairs_AreReplaced()
    {
        await using var manager = ManagerOf(new BodyProvider(_ => """
            {"\ud83d":1,"created":1735689600.0,"choices":[{"\ud83d":1,"message":{"content":"a\ud83d","tool_calls":[
              {"id":"t","function":{"name":"f","arguments":"{\"\\ud83d\":\"b\\ud83d\"}"}}]},"finish_reason":"stop"}]}
            """));
        using var client = new FastLLMChatClient(manager);

        ChatResponse response = await client.GetResponseAsync("hi", cancellationToken: Cancel);

        Assert.Equal(("a\uFFFD", 1735689600), (response.Text, response.CreatedAt?.ToUnixTimeSeconds()));
        FunctionCallContent call = Assert.Single(response.Messages[0].Contents.OfType<FunctionCallContent>());
        Assert.Equal("b\uFFFD", ((JsonElement)call.Arguments!["\uFFFD"]!).GetString());
    }

    [Fact]
    public async Task ToolCalls_SentBack_KeepTheirArguments()
    {
        // White space in the arguments is the model's; it must survive the way back.
        var provider = new BodyProvider(request => request.Messages.Any(message => message.Role == "tool") ? BodyProvider.Hello : """
            {"id":"c1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
              {"id":"t1","type":"function","function":{"name":"weather","arguments":"{ \"city\": \"Paris\" }"}},
              {"id":"t2","type":"function","function":{"name":"weather","arguments":"{broken"}}]},"finish_reason":"tool_calls"}]}
            """);
        await using var manager = ManagerOf(provider);
        using var client = new FastLLMChatClient(manager, "m");
        List<ChatMessage> history = [new(ChatRole.User, "Weather?")];

        ChatResponse first = await client.GetResponseAsync(history, cancellationToken: Cancel);
        FunctionCallContent[] calls = [.. first.Messages[0].Contents.OfType<FunctionCallContent>()];
        history.AddRange(first.Messages);
        history.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent("t1", JsonElement.Parse("\"rain\"")), new FunctionResultContent("t2", null) { Exception = new FormatException("bad") }]));
        ChatResponse second = await client.GetResponseAsync(history, cancellationToken: Cancel);

        Assert.Equal(ChatFinishReason.ToolCalls, first.FinishReason);
        Assert.Equal("hm", Assert.IsType<TextReasoningContent>(first.Messages[0].Contents[0]).Text);
        Assert.Equal("Paris", calls[0].Arguments!["city"]!.ToString());
        Assert.NotNull(calls[1].Exception);
        Assert.Equal("hello", second.Text);
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m",
            [
                "Weather?",
                Message.Assistant(null) with { ToolCalls = [new("t1", new("weather", "{ \"city\": \"Paris\" }")), new("t2", new("weather", "{broken"))] },
                Message.Tool("t1", "rain"),
                Message.Tool("t2", "Error: bad"),
            ],
            temperature: null);
        Assert.Equal(batch[0], provider.Requests.Last());

        calls[0].Arguments!["city"] = "Rome";
        await client.GetResponseAsync(history, cancellationToken: Cancel);
        Assert.Equal("""{"city":"Rome"}""", provider.Requests.Last().Messages[1].ToolCalls![0].Function.Arguments);
    }

    [Fact]
    public async Task Response_RefusalAndUnknownFinishReason_AreKept()
    {
        await using var manager = ManagerOf(new BodyProvider(_ => """{"choices":[{"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"weary"}]}"""));
        using var client = new FastLLMChatClient(manager);

        ChatResponse response = await client.GetResponseAsync("hi", cancellationToken: Cancel);

        Assert.Equal(("no", "Refusal"), (Assert.IsType<ErrorContent>(response.Messages[0].Contents.Single()).Message, ((ErrorContent)response.Messages[0].Contents[0]).ErrorCode));
        Assert.Equal(new ChatFinishReason("weary"), response.FinishReason);
        Assert.Null(response.Usage);
    }

    [Fact]
    public async Task GetStreamingResponseAsync_IsOneUpdate()
    {
        await using var manager = ManagerOf(new BodyProvider(_ => BodyProvider.Hello));
        using var client = new FastLLMChatClient(manager);
        List<ChatResponseUpdate> updates = [];

        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("hi", cancellationToken: Cancel))
        {
            updates.Add(update);
        }

        ChatResponse whole = Assert.Single(updates).AsWhole();
        Assert.Equal(("hello", 7, "c1", "m-1", ChatFinishReason.Stop), (whole.Text, whole.Usage!.TotalTokenCount, whole.ResponseId, whole.ModelId, whole.FinishReason));
    }

    [Fact]
    public async Task GetResponseAsync_Failure_ThrowsLlmException()
    {
        var failures = new Queue<FailureKind>([FailureKind.InvalidRequest, FailureKind.Authentication]);
        var provider = new BodyProvider(_ => throw new LlmException(failures.Dequeue(), "no"));
        await using var manager = ManagerOf(provider);
        using var client = new FastLLMChatClient(manager);

        Assert.Equal(FailureKind.InvalidRequest, (await Assert.ThrowsAsync<LlmException>(() => client.GetResponseAsync("a", cancellationToken: Cancel))).Kind);
        Assert.Equal(FailureKind.Authentication, (await Assert.ThrowsAsync<LlmException>(() => client.GetResponseAsync("b", cancellationToken: Cancel))).Kind);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetResponseAsync("c", cancellationToken: new CancellationToken(canceled: true)));
        Assert.Equal(2, provider.Requests.Count);
    }

    [Fact]
    public async Task Response_NotACompletion_IsAFailure()
    {
        await using var manager = ManagerOf(new BodyProvider(_ => """{"x":1}"""));
        using var client = new FastLLMChatClient(manager);

        Assert.Equal(FailureKind.InvalidResponse, (await Assert.ThrowsAsync<LlmException>(() => client.GetResponseAsync("a", cancellationToken: Cancel))).Kind);
    }

    [Fact]
    public async Task GetResponseAsync_EqualConcurrentCalls_ShareOneSend()
    {
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Cancel);
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), new RequestManagerOptions { ShowProgress = false });
        using var client = new FastLLMChatClient(manager, "m");

        ChatResponse[] responses = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.GetResponseAsync("Hello!", cancellationToken: Cancel)));

        Assert.Equal(1, simulator.Stats.Sends);
        Assert.Single(responses.Select(response => response.Text).Distinct());
        await Task.WhenAll(Enumerable.Range(0, 3).Select(sample => client.GetResponseAsync(
            "Hello!", new ChatOptions { AdditionalProperties = new() { [FastLLMChatClient.SampleProperty] = sample } }, Cancel)));
        Assert.Equal(4, simulator.Stats.Sends);
    }

    [Fact]
    public async Task GetResponseAsync_CachedByBatch_IsAHit()
    {
        var provider = new BodyProvider(_ => BodyProvider.Hello);
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false, Cache = cache });
        using var client = new FastLLMChatClient(manager, "m");
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", ["Hello!"], temperature: 0.3);

        await manager.ProcessBatchAsync(batch, Cancel);
        ChatResponse response = await client.GetResponseAsync("Hello!", new ChatOptions { Temperature = 0.3f }, Cancel);

        Assert.Equal("hello", response.Text);
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task GetService_KeepsTheContract()
    {
        await using var manager = ManagerOf(new BodyProvider(_ => BodyProvider.Hello));
        using var client = new FastLLMChatClient(manager, "m", new Uri("http://x.test/v1"));

        Assert.Same(client, client.GetService(typeof(IChatClient)));
        Assert.Same(client, client.GetService(typeof(FastLLMChatClient)));
        Assert.Same(manager, client.GetService(typeof(RequestManager)));
        Assert.Null(client.GetService(typeof(IChatClient), "key"));
        Assert.Null(client.GetService(typeof(string)));
        Assert.Throws<ArgumentNullException>(() => client.GetService(null!));
        var metadata = Assert.IsType<ChatClientMetadata>(client.GetService(typeof(ChatClientMetadata)));
        Assert.Equal(("fastllm", new Uri("http://x.test/v1"), "m"), (metadata.ProviderName, metadata.ProviderUri, metadata.DefaultModelId));
    }

    private static RequestManager ManagerOf(Provider<LlmResponse> provider) => new(provider, new RequestManagerOptions { ShowProgress = false, RetryAttempts = 1 });

    private static async Task<LlmRequest> RequestOf(List<ChatMessage> messages, ChatOptions? options)
    {
        var provider = new BodyProvider(_ => BodyProvider.Hello);
        await using var manager = ManagerOf(provider);
        using var client = new FastLLMChatClient(manager);
        await client.GetResponseAsync(messages, options, Cancel);
        return provider.Requests.Single();
    }
}

file static class Updates
{
    public static ChatResponse AsWhole(this ChatResponseUpdate update) => new[] { update }.ToChatResponse();
}
