using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using OpenAI.Chat;
using Xunit;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using ChatResponseFormat = Microsoft.Extensions.AI.ChatResponseFormat;

namespace FastLLM.Tests.ExtensionsAI.SideBySide;

/// <summary>The same messages and options through Microsoft's client and this library's: what arrives means the same.</summary>
public sealed class WireTests
{
    private static readonly ChatMessage s_user = new(ChatRole.User, "a");

    private static readonly AIFunction s_weather = AIFunctionFactory.Create(Weather, "weather", "The weather.");

    private static readonly Dictionary<string, (ChatMessage[] Messages, ChatOptions? Options)> s_cases = new()
    {
        ["text"] = ([s_user], null),
        ["system and developer"] = ([new(ChatRole.System, "s"), new(new ChatRole("developer"), "d"), s_user], null),
        ["instructions"] = ([s_user], new() { Instructions = "Be brief." }),
        ["empty texts"] = ([s_user, new(ChatRole.Assistant, ""), new(ChatRole.Assistant, new List<AIContent>()), new(ChatRole.User, "")], null),
        ["author names"] = ([new(ChatRole.User, "a") { AuthorName = "Ann Müller-1 _x!" }, new(ChatRole.Assistant, "b") { AuthorName = " bot " }, new(ChatRole.System, "s") { AuthorName = "ö" }, new(ChatRole.User, "c") { AuthorName = new string('n', 70) }], null),
        ["two texts"] = ([User(new TextContent("a"), new TextContent("b")), new(ChatRole.Assistant, [new TextContent("a"), new TextContent("b")])], null),
        ["images"] = ([User(new UriContent("http://x.test/a.png", "image/png") { AdditionalProperties = new() { ["detail"] = "high" } }, new DataContent(new byte[] { 1 }, "image/png"))], null),
        ["audio"] = ([User(new DataContent(new byte[] { 1 }, "audio/wav"), new DataContent(new byte[] { 2 }, "audio/mpeg"))], null),
        ["named file"] = ([User(new DataContent(new byte[] { 1 }, "application/pdf") { Name = "x.pdf" }, new HostedFileContent("f1"))], null),
        ["calls and results"] = ([s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", new Dictionary<string, object?> { ["t"] = 3 }), new FunctionResultContent("c2", 12.5)])], null),
        ["calls answered by the client"] = ([s_user, new(ChatRole.Assistant, [new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["a"] = 1 }) { InformationalOnly = true }]), new(ChatRole.Tool, [new FunctionResultContent("c1", "r")])], null),
        ["call with text"] = ([s_user, new(ChatRole.Assistant, [new TextContent("t"), new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["u"] = "ü<&'", ["n"] = null, ["o"] = new[] { 1, 2 } })])], null),
        ["result null"] = ([s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", null)])], null),
        ["reasoning is not sent"] = ([s_user, new(ChatRole.Assistant, [new TextReasoningContent("hm"), new TextContent("b")]), new(ChatRole.Assistant, [new TextReasoningContent("hm")])], null),
        ["refusal"] = ([s_user, new(ChatRole.Assistant, [new ErrorContent("no") { ErrorCode = "Refusal" }])], null),
        ["raw parts and messages"] = ([User(new AIContent { RawRepresentation = ChatMessageContentPart.CreateTextPart("raw") }, new TextContent("t") { RawRepresentation = ChatMessageContentPart.CreateTextPart("own") }), new(ChatRole.User, "x") { RawRepresentation = new UserChatMessage("whole") }], null),
        ["function"] = ([s_user], new() { Tools = [s_weather], ToolMode = ChatToolMode.Auto, AllowMultipleToolCalls = true }),
        ["function, strict"] = ([s_user], new() { Tools = [Strict(true)], ToolMode = ChatToolMode.RequireAny }),
        ["function, not strict"] = ([s_user], new() { Tools = [Strict(false)], AdditionalProperties = new() { ["strict"] = true }, ToolMode = ChatToolMode.RequireSpecific("strictly") }),
        ["functions, strict by option"] = ([s_user], new() { Tools = [s_weather], AdditionalProperties = new() { ["strict"] = true }, ToolMode = ChatToolMode.None }),
        ["function without parameters"] = ([s_user], new() { Tools = [AIFunctionFactory.Create(() => "x", "nothing"), AIFunctionFactory.CreateDeclaration("bare", null, JsonElement.Parse("{}"))] }),
        ["function with own schema"] = ([s_user], new() { Tools = [AIFunctionFactory.CreateDeclaration("r", "d", JsonElement.Parse("""{"type":"object","properties":{"a":true},"$defs":{"x":{}},"additionalProperties":true}"""))] }),
        ["JSON as result"] = ([s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", JsonElement.Parse("""{"a":[1,null,"x"]}""")), new FunctionResultContent("c2", true), new FunctionResultContent("c3", 5), new FunctionResultContent("c4", new JsonObject { ["b"] = 1 })])], null),
        ["arguments of many kinds"] = ([s_user, new(ChatRole.Assistant, [new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["j"] = JsonElement.Parse("""{"x":1.50}"""), ["n"] = JsonNode.Parse("[1,2]"), ["d"] = 1.5m, ["l"] = long.MaxValue, ["b"] = false, ["t"] = new TimeSpan(1, 2, 3) })])], null),
        ["effort none"] = ([s_user], new() { Reasoning = new() { Effort = ReasoningEffort.None } }),
        ["effort low"] = ([s_user], new() { Reasoning = new() { Effort = ReasoningEffort.Low } }),
        ["effort medium"] = ([s_user], new() { Reasoning = new() { Effort = ReasoningEffort.Medium } }),
        ["effort high"] = ([s_user], new() { Reasoning = new() { Effort = ReasoningEffort.High } }),
        ["mode and calls without tools"] = ([s_user], new() { ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false }),
        ["one call at a time"] = ([s_user], new() { Tools = [s_weather], AllowMultipleToolCalls = false }),
        ["format with schema, name and description"] = ([s_user], new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"object","properties":{},"additionalProperties":false}"""), "n", "d") }),
        ["format with schema, no name"] = ([s_user], new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"object","properties":{"a":{"type":"string"}}}""")) }),
        ["image with detail"] = ([User(new DataContent(new byte[] { 1 }, "image/jpeg") { AdditionalProperties = new() { ["detail"] = "low" } }, new TextContent("t"))], null),
        ["image by file"] = ([User(new HostedFileContent("f1") { MediaType = "image/png" })], null),
        ["content without text"] = ([User(new TextContent(null), new TextContent("a"))], null),
        ["long conversation"] = ([new(ChatRole.System, "s"), s_user, new(ChatRole.Assistant, "b"), new(ChatRole.User, "c"), new(ChatRole.Assistant, "d") { AuthorName = "n" }, s_user], new() { Instructions = "First." }),
        ["background"] = ([s_user], new() { AllowBackgroundResponses = true }),
        ["web search"] = ([s_user], new() { Tools = [new HostedWebSearchTool()] }),
        ["format text"] = ([s_user], new() { ResponseFormat = ChatResponseFormat.Text }),
        ["format JSON"] = ([s_user], new() { ResponseFormat = ChatResponseFormat.Json }),
        ["format of a type"] = ([s_user], new() { ResponseFormat = ChatResponseFormat.ForJsonSchema<Place>() }),
        ["format with schema, strict"] = ([s_user], new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"object","properties":{"a":{"type":"string","default":"x"},"b":{"type":"object","properties":{}}},"required":["a"]}"""), "n", "d"), AdditionalProperties = new() { ["strict"] = true } }),
        ["all options"] = ([s_user], new() { ModelId = "m2", Temperature = 0.1f, TopP = 0.9f, MaxOutputTokens = 5, Seed = 7, StopSequences = ["x"], FrequencyPenalty = 0.2f, PresencePenalty = -0.2f, Reasoning = new() { Effort = ReasoningEffort.ExtraHigh } }),
        ["empty lists"] = ([s_user], new() { StopSequences = [], Tools = [], ToolMode = ChatToolMode.Auto }),
        ["raw options"] = ([s_user], new() { Temperature = 0.5f, MaxOutputTokens = 9, Tools = [s_weather], StopSequences = ["y"], RawRepresentationFactory = _ => new ChatCompletionOptions { Temperature = 0.7f, TopP = 0.3f, EndUserId = "u", StopSequences = { "x" }, Tools = { ChatTool.CreateFunctionTool("own") } } }),
    };

    /// <summary>The differences of docs/extensions-ai.md: what arrives from Microsoft's client, and from this one.</summary>
    private static readonly Dictionary<string, (ChatMessage[] Messages, ChatOptions? Options, string Theirs, string Ours)> s_differences = new()
    {
        ["parameters of other servers"] = ([s_user], new() { TopK = 4, AdditionalProperties = new() { ["top_a"] = 1 } }, """{"content":"a","role":"user"}],"model":"m"}""", "\"top_a\":1,\"top_k\":4"),
        ["arguments null"] = ([s_user, new(ChatRole.Assistant, [new FunctionCallContent("c1", "f")])], null, "\"arguments\":\"null\"", "\"arguments\":{}"),
        ["result as text"] = ([s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", JsonElement.Parse("\"s\""))])], null, """{"content":"\u0022s\u0022",""", """{"content":"s","""),
        ["contents as result"] = ([s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", new AIContent[] { new TextContent("a"), new TextContent("b") })])], null, "\"$type\":\"text\",\"text\":\"a\"", """{"content":"ab","role":"tool","""),
        ["result with exception"] = ([s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", null) { Exception = new FormatException("bad") }])], null, """{"content":"","role":"tool",""", """{"content":"Error: bad","role":"tool","""),
        ["result of a user"] = ([s_user, Call(1), User(new FunctionResultContent("c1", "r"), new TextContent("t"))], null, """}]},{"content":"t","role":"user"}""", """{"content":"r","role":"tool","tool_call_id":"c1"},{"content":"t","role":"user"}"""),
        ["other files"] = ([User(new DataContent(new byte[] { 1 }, "text/plain"))], null, """{"content":"","role":"user"}""", "\"file_data\":\"data:text/plain;base64,AQ==\""),
        ["other audio"] = ([User(new DataContent(new byte[] { 1 }, "audio/flac"))], null, """{"content":"","role":"user"}""", """{"data":"AQ==","format":"flac"}"""),
    };

    public static TheoryData<string> Differences => [.. s_differences.Keys];

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task WhatArrives_MeansTheSame(string name)
    {
        (ChatMessage[] messages, ChatOptions? options) = s_cases[name];
        await using var both = new BothClients(BothClients.Hello);

        await both.Theirs.GetResponseAsync(messages, options, Cancel);
        await both.Ours.GetResponseAsync(messages, options, Cancel);

        Assert.Equal(Meaning.Of(both.Bodies[0]), Meaning.Of(both.Bodies[1]));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task WhatArrives_Streamed_MeansTheSame(string name)
    {
        (ChatMessage[] messages, ChatOptions? options) = s_cases[name];
        await using var both = new BothClients("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", streams: true);

        await both.Theirs.GetStreamingResponseAsync(messages, options, Cancel).ToChatResponseAsync(Cancel);
        await both.Ours.GetStreamingResponseAsync(messages, options, Cancel).ToChatResponseAsync(Cancel);

        Assert.True((bool)both.Bodies[1]["stream"]! && (bool)both.Bodies[1]["stream_options"]!["include_usage"]!);
        Assert.Equal(Meaning.Of(both.Bodies[0]), Meaning.Of(both.Bodies[1]));
    }

    [Theory]
    [MemberData(nameof(Differences))]
    public async Task WhatArrives_DiffersAsDocumented(string name)
    {
        (ChatMessage[] messages, ChatOptions? options, string theirs, string ours) = s_differences[name];
        await using var both = new BothClients(BothClients.Hello);

        await both.Theirs.GetResponseAsync(messages, options, Cancel);
        await both.Ours.GetResponseAsync(messages, options, Cancel);

        Assert.Contains(theirs, Meaning.Of(both.Bodies[0]), StringComparison.Ordinal);
        Assert.Contains(ours, Meaning.Of(both.Bodies[1]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FunctionInvocation_SecondRequest_MeansTheSame()
    {
        const string call = """{"id":"c1","object":"chat.completion","created":1735689600,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]},"finish_reason":"tool_calls"}]}""";
        await using var both = new BothClients(TestKit.FaultServer.Start((request, connection) =>
            TestKit.Fault.Respond(200, request.Text.Contains("tool_call_id", StringComparison.Ordinal) ? BothClients.Hello : call)(request, connection)));
        var options = new ChatOptions { Tools = [AIFunctionFactory.Create((string city) => new Place(city, 3), "weather")] };

        ChatResponse theirs = await both.Theirs.AsBuilder().UseFunctionInvocation().Build().GetResponseAsync("a", options, Cancel);
        ChatResponse ours = await both.Ours.AsBuilder().UseFunctionInvocation().Build().GetResponseAsync("a", options, Cancel);
        await both.Theirs.GetResponseAsync([.. theirs.Messages, s_user], options, Cancel);
        await both.Ours.GetResponseAsync([.. ours.Messages, s_user], options, Cancel);

        Assert.Equal("hello", ours.Text);
        Assert.Equal(6, both.Bodies.Count);
        Assert.Equal("t1", both.Bodies[3]["messages"]![1]!["tool_calls"]![0]!["id"]!.GetValue<string>());
        Assert.Equal(Meaning.Of(both.Bodies[1]), Meaning.Of(both.Bodies[3]));
        Assert.Equal(Meaning.Of(both.Bodies[4]), Meaning.Of(both.Bodies[5]));
    }

    [Fact]
    public async Task Strict_BothNames_AreTheSame()
    {
        await using var both = new BothClients(BothClients.Hello);

        await both.Theirs.GetResponseAsync("a", new ChatOptions { Tools = [s_weather], AdditionalProperties = new() { ["strict"] = true } }, Cancel);
        await both.Ours.GetResponseAsync("a", new ChatOptions { Tools = [s_weather], AdditionalProperties = new() { ["strictJsonSchema"] = true } }, Cancel);

        Assert.Equal(Meaning.Of(both.Bodies[0]), Meaning.Of(both.Bodies[1]));
    }

    [Fact]
    public async Task PdfWithoutName_GetsTheSameNameEachTime()
    {
        await using var both = new BothClients(BothClients.Hello);

        foreach (IChatClient client in (IChatClient[])[both.Theirs, both.Ours, both.Ours])
        {
            await client.GetResponseAsync([User(new DataContent(new byte[] { 1 }, "application/pdf"))], null, Cancel);
        }

        Assert.All(both.Bodies, body => Assert.Matches("^[0-9a-f]{32}\\.pdf$", FileOf(body)["filename"]!.GetValue<string>()));
        Assert.Equal(FileOf(both.Bodies[1]).ToJsonString(), FileOf(both.Bodies[2]).ToJsonString());

        static JsonNode FileOf(JsonNode body) => body["messages"]![0]!["content"]![0]!["file"]!;
    }

    [Fact]
    public async Task WhatCannotBeSent_IsRefusedByName()
    {
        await using var both = new BothClients(BothClients.Hello);

        await Refused("text/html", [User(new UriContent("http://x.test/a.html", "text/html"))], null);
        await Refused("AIContent", [User(new AIContent())], null);
        await Refused("TextContent", [s_user, Call(1), new(ChatRole.Tool, [new FunctionResultContent("c1", "r"), new TextContent("beside")])], null);
        await Refused("FunctionResultContent", [new(ChatRole.Tool, new List<AIContent>())], null);
        await Refused("HostedCodeInterpreterTool", [s_user], new() { Tools = [new HostedCodeInterpreterTool()] });
        await Refused("ConversationId", [s_user], new() { ConversationId = "c" });
        await Refused("ContinuationToken", [s_user], new() { ContinuationToken = ResponseContinuationToken.FromBytes(new byte[] { 1 }) });
        await Refused("Reasoning.Output", [s_user], new() { Reasoning = new() { Output = ReasoningOutput.Full } });
        await Refused("Version", [s_user], new() { RawRepresentationFactory = _ => new Version(1, 2) });
        await Refused("messages", [s_user], new() { RawRepresentationFactory = _ => new JsonObject { ["messages"] = new JsonArray() } });
        Assert.Empty(both.Bodies);

        async Task Refused(string what, ChatMessage[] messages, ChatOptions? options) => Assert.Contains(what,
            (await Assert.ThrowsAsync<NotSupportedException>(() => both.Ours.GetResponseAsync(messages, options, Cancel))).Message, StringComparison.Ordinal);
    }

    private static ChatMessage User(params AIContent[] contents) => new(ChatRole.User, [.. contents]);

    private static ChatMessage Call(int number) => new(ChatRole.Assistant, [new FunctionCallContent($"c{number}", "f", new Dictionary<string, object?> { ["a"] = number })]);

    private static string Weather([Description("The city.")] string city, int days = 3, Place? near = null) => $"{city} {days} {near}";

    private static AIFunction Strict(bool strict) => AIFunctionFactory.Create(
        (string city, int days = 3) => $"{city} {days}",
        new AIFunctionFactoryOptions { Name = "strictly", AdditionalProperties = new Dictionary<string, object?> { ["strict"] = strict } });

    private sealed record Place(string Name, int? Age = null);
}
