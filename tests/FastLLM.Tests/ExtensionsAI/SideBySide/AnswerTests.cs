using System.ClientModel.Primitives;
using Microsoft.Extensions.AI;
using OpenAI.Chat;
using Xunit;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;

namespace FastLLM.Tests.ExtensionsAI.SideBySide;

/// <summary>The same answers to Microsoft's client and this library's: what comes back means the same.</summary>
public sealed class AnswerTests
{
    private const string Usage = """{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}""";

    private static readonly Dictionary<string, string> s_cases = new()
    {
        ["text"] = Body("""{"role":"assistant","content":"hi"}"""),
        ["empty text"] = Body("""{"role":"assistant","content":""}"""),
        ["length"] = Body("""{"role":"assistant","content":"hi"}""", "length"),
        ["content filter"] = Body("""{"role":"assistant","content":""}""", "content_filter"),
        ["usage"] = Body("""{"role":"assistant","content":"hi"}""", "stop", Usage),
        ["usage with details"] = Body("""{"role":"assistant","content":"hi"}""", "stop", """{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":3,"audio_tokens":4},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":2,"accepted_prediction_tokens":6,"rejected_prediction_tokens":7}}"""),
        ["usage with zeros"] = Body("""{"role":"assistant","content":"hi"}""", "stop", """{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"""),
        ["call"] = Body(Call("""{\"a\":1,\"b\":[true,null]}"""), "tool_calls"),
        ["call with broken arguments"] = Body(Call("{bad"), "tool_calls"),
        ["two calls with text"] = Body("""{"role":"assistant","content":"t","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"t2","type":"function","function":{"name":"g","arguments":"{}"}}]}""", "tool_calls"),
        ["refusal"] = Body("""{"role":"assistant","content":null,"refusal":"no"}"""),
        ["refusal with text"] = Body("""{"role":"assistant","content":"x","refusal":"no"}"""),
        ["citations"] = Body("""{"role":"assistant","content":"see it","annotations":[{"type":"url_citation","url_citation":{"start_index":1,"end_index":3,"title":"T","url":"http://x.test/"}},{"type":"url_citation","url_citation":{"start_index":4,"end_index":5,"title":"U","url":"http://y.test/"}}]}"""),
        ["audio"] = Body("""{"role":"assistant","content":null,"audio":{"id":"a1","data":"AQI=","expires_at":1735689700,"transcript":"spoken"}}"""),
        ["parts"] = Body("""{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"""),
        ["reasoning"] = Body("""{"role":"assistant","content":"a","reasoning_content":"hm"}"""),
        ["two choices"] = """{"id":"c1","object":"chat.completion","created":1735689600,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"y"},"finish_reason":"length"}]}""",
        ["no content"] = Body("""{"role":"assistant","content":null}"""),
        ["content missing"] = Body("""{"role":"assistant"}"""),
        ["blank text"] = Body("""{"role":"assistant","content":" \n"}"""),
        ["text of all planes"] = Body("""{"role":"assistant","content":"\u00e9\ud83d\ude00\u0000\u2028"}"""),
        ["call with numbers"] = Body(Call("""{\"a\":1.50,\"b\":12345678901234567890,\"c\":1e400,\"d\":{\"e\":[]}}"""), "tool_calls"),
        ["call with an array as arguments"] = Body(Call("[1]"), "tool_calls"),
        ["call with null as arguments"] = Body(Call("null"), "tool_calls"),
        ["calls and length"] = Body(Call("{}"), "length"),
        ["usage with nulls"] = Body("""{"role":"assistant","content":"hi"}""", "stop", """{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":null,"completion_tokens_details":null}"""),
        ["empty annotations"] = Body("""{"role":"assistant","content":"a","annotations":[],"refusal":null,"audio":null,"function_call":null,"tool_calls":null}"""),
        ["unknown members"] = Body("""{"role":"assistant","content":"a","foo":1}""").Replace("\"object\"", "\"service_tier\":\"flex\",\"system_fingerprint\":\"fp\",\"object\"", StringComparison.Ordinal),
    };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task WhatComesBack_MeansTheSame(string name)
    {
        await using var both = new BothClients(s_cases[name]);

        ChatResponse theirs = await both.Theirs.GetResponseAsync("a", cancellationToken: Cancel);
        ChatResponse ours = await both.Ours.GetResponseAsync("a", cancellationToken: Cancel);

        Assert.Equal(Meaning.Of(theirs), Meaning.Of(ours));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(422)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task Errors_HaveTheSameStatusAndMessage(int status)
    {
        TestKit.FaultServer server = TestKit.FaultServer.Start(
            TestKit.Fault.Respond(status, """{"error":{"message":"It is so.","type":"t","param":"p","code":"insufficient_quota"}}""", ("Content-Type", "application/json")));
        await using var both = new BothClients(server);
        await using var manager = new RequestManager(new OpenAIProvider("k", server.ApiBase), new RequestManagerOptions { ShowProgress = false, RetryAttempts = 1, MaxThrottleWait = TimeSpan.Zero });
        using var client = new FastLLMChatClient(manager, "m");

        System.ClientModel.ClientResultException theirs = await Assert.ThrowsAsync<System.ClientModel.ClientResultException>(() => both.Theirs.GetResponseAsync("a", cancellationToken: Cancel));
        LlmException ours = await Assert.ThrowsAsync<LlmException>(() => client.GetResponseAsync("a", cancellationToken: Cancel));
        LlmException streamed = await Assert.ThrowsAsync<LlmException>(() => client.GetStreamingResponseAsync("b", cancellationToken: Cancel).ToChatResponseAsync(Cancel));

        Assert.Equal((theirs.Status, theirs.Status), (ours.StatusCode, streamed.StatusCode));
        Assert.All([theirs.Message, ours.Message, streamed.Message], message => Assert.Contains("It is so.", message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not JSON")]
    [InlineData("{}")]
    [InlineData("[]")]
    public async Task AnswerThatIsNone_IsAFailureInBoth(string body)
    {
        await using var both = new BothClients(body);

        await Assert.ThrowsAnyAsync<Exception>(() => both.Theirs.GetResponseAsync("a", cancellationToken: Cancel));
        LlmException ours = await Assert.ThrowsAsync<LlmException>(() => both.Ours.GetResponseAsync("a", cancellationToken: Cancel));
        Assert.True(ours.Kind is FailureKind.InvalidResponse or FailureKind.IncompleteResponse, $"{ours}");
    }

    [Fact]
    public async Task Canceled_IsTheSameException()
    {
        await using var both = new BothClients(BothClients.Hello);
        using var source = new CancellationTokenSource();
        await source.CancelAsync();

        foreach (IChatClient client in (IChatClient[])[both.Theirs, both.Ours])
        {
            Assert.Equal(source.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetResponseAsync("a", cancellationToken: source.Token))).CancellationToken);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetStreamingResponseAsync("a", cancellationToken: source.Token).ToChatResponseAsync(source.Token));
            await Assert.ThrowsAsync<ArgumentNullException>(() => client.GetResponseAsync((IEnumerable<ChatMessage>)null!, cancellationToken: Cancel));
        }
    }

    [Fact]
    public async Task Audio_HasTheFormatThatWasRequested()
    {
        await using var both = new BothClients(s_cases["audio"]);
        var options = new ChatOptions { RawRepresentationFactory = _ => ModelReaderWriter.Read<ChatCompletionOptions>(BinaryData.FromString("""{"audio":{"voice":"alloy","format":"wav"}}""")) };

        ChatResponse theirs = await both.Theirs.GetResponseAsync("a", options, Cancel);
        ChatResponse ours = await both.Ours.GetResponseAsync("a", options, Cancel);

        Assert.Equal(Meaning.Of(theirs), Meaning.Of(ours));
        Assert.Equal("audio/wav", Assert.IsType<DataContent>(ours.Messages[0].Contents.Single()).MediaType);
        Assert.Equal("spoken", ours.Messages[0].Contents[0].AdditionalProperties!["transcript"]);
    }

    [Fact]
    public async Task UsageWithoutTotal_IsAdded()
    {
        await using var both = new BothClients(Body("""{"role":"assistant","content":"hi"}""", "stop", """{"prompt_tokens":5,"completion_tokens":2}"""));

        Assert.Equal(0, (await both.Theirs.GetResponseAsync("a", cancellationToken: Cancel)).Usage!.TotalTokenCount);
        Assert.Equal(7, (await both.Ours.GetResponseAsync("a", cancellationToken: Cancel)).Usage!.TotalTokenCount);
    }

    /// <summary>What Microsoft's client throws at, or drops, is read.</summary>
    [Fact]
    public async Task ArgumentsAsObjectAndCustomCalls_AreRead()
    {
        await using var both = new BothClients(Body("""{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":{"a":1}}},{"id":"t2","type":"custom","custom":{"name":"g","input":"x y"}}]}""", "tool_calls"));
        await Assert.ThrowsAnyAsync<Exception>(() => both.Theirs.GetResponseAsync("a", cancellationToken: Cancel));

        ChatResponse response = await both.Ours.GetResponseAsync("a", cancellationToken: Cancel);
        await both.Ours.GetResponseAsync([new(ChatRole.User, "a"), .. response.Messages, new(ChatRole.Tool, [new FunctionResultContent("t1", "r"), new FunctionResultContent("t2", "s")])], cancellationToken: Cancel);

        FunctionCallContent[] calls = [.. response.Messages[0].Contents.Cast<FunctionCallContent>()];
        Assert.Equal(("f", "1", "g", "x y"), (calls[0].Name, calls[0].Arguments!["a"]!.ToString(), calls[1].Name, calls[1].Arguments!["input"]));
        Assert.Equal(
            """[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\u0022a\u0022:1}"}},{"id":"t2","type":"custom","custom":{"name":"g","input":"x y"}}]""",
            both.Bodies[2]["messages"]![1]!["tool_calls"]!.ToJsonString());
    }

    /// <summary>What Microsoft's client drops or throws at: the differences of docs/extensions-ai.md.</summary>
    [Theory]
    [InlineData("""{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":""}}]}""", "tool_calls", "call t1 f {} False")]
    [InlineData("""{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}}""", "function_call", "call  f {} False")]
    [InlineData("""{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"r"}]}""", "stop", "text a \nerror r Refusal")]
    [InlineData("""{"role":"assistant","content":"a","reasoning":"hm"}""", "stop", "reasoning hm\ntext a ")]
    [InlineData("""{"role":"assistant","content":"x"}""", "weary", " weary ")]
    public async Task MoreForms_AreRead(string message, string reason, string meaning)
    {
        await using var both = new BothClients(Body(message, reason));

        Assert.Contains(meaning, Meaning.Of(await both.Ours.GetResponseAsync("a", cancellationToken: Cancel)), StringComparison.Ordinal);
    }

    internal static string Body(string message, string reason = "stop", string? usage = null) =>
        $$"""{"id":"c1","object":"chat.completion","created":1735689600,"model":"m-1","choices":[{"index":0,"message":{{message}},"finish_reason":"{{reason}}"}]{{(usage is null ? "" : $",\"usage\":{usage}")}}}""";

    private static string Call(string arguments) =>
        $$$"""{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{{{arguments}}}"}}]}""";
}
