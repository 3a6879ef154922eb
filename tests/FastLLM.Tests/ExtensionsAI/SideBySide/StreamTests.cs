using FastLLM.Mapping;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI.SideBySide;

/// <summary>The same streams to Microsoft's client and this library's: the updates mean the same.</summary>
public sealed class StreamTests
{
    private const string Usage = """{"id":"c1","object":"chat.completion.chunk","created":1735689600,"model":"m-1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}""";

    private static readonly Dictionary<string, string[]> s_cases = new()
    {
        ["text"] = [Chunk("""{"role":"assistant","content":""}"""), Chunk("""{"content":"a"}"""), Chunk("""{"content":"b"}"""), Chunk("{}", "\"stop\""), Usage],
        ["text without usage"] = [Chunk("""{"role":"assistant","content":"a"}"""), Chunk("{}", "\"length\"")],
        ["seven tokens"] = [Chunk("""{"role":"assistant","content":""}"""), .. "abcdefg".Select(letter => Chunk($$"""{"content":"{{letter}}"}""")), Chunk("{}", "\"stop\""), Usage],
        ["call"] = [Chunk("""{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]}"""), Chunk("""{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"""), Chunk("""{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"""), Chunk("{}", "\"tool_calls\""), Usage],
        ["two calls"] = [Chunk("""{"role":"assistant","content":"t"}"""), Chunk("""{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}"""), Chunk("""{"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"g","arguments":"{}"}}]}"""), Chunk("{}", "\"tool_calls\"")],
        ["reasoning"] = [Chunk("""{"role":"assistant","reasoning_content":"h"}"""), Chunk("""{"reasoning_content":"m"}"""), Chunk("""{"content":"a"}""", "\"stop\"")],
        ["calls that take turns"] = [Chunk("""{"role":"assistant","tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\""}},{"index":1,"id":"t2","type":"function","function":{"name":"g","arguments":""}}]}"""), Chunk("""{"tool_calls":[{"index":1,"function":{"arguments":"{\"b\":2}"}}]}"""), Chunk("""{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}""", "\"tool_calls\"")],
        ["call with broken arguments"] = [Chunk("""{"role":"assistant","tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{bad"}}]}""", "\"tool_calls\"")],
        ["first chunk without choices"] = ["""{"id":"","object":"chat.completion.chunk","created":0,"model":"","choices":[],"prompt_filter_results":[]}""", Chunk("""{"role":"assistant","content":"a"}""", "\"stop\""), Usage],
        ["role in each chunk"] = [Chunk("""{"role":"assistant","content":"a"}"""), Chunk("""{"role":"assistant","content":"b"}""", "\"stop\"")],
        ["no content"] = [Chunk("""{"role":"assistant"}"""), Chunk("""{"content":null}"""), Chunk("{}", "\"stop\"")],
        ["usage in the last chunk"] = [Chunk("""{"role":"assistant","content":"a"}"""), Chunk("{}", "\"stop\"")[..^1] + ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}"],
        ["unknown members"] = [Chunk("""{"role":"assistant","content":"a","obfuscation":"x"}""")[..^1] + ",\"service_tier\":\"flex\",\"system_fingerprint\":\"fp\"}", Chunk("{}", "\"stop\"")],
        ["finish reason with text"] = [Chunk("""{"role":"assistant","content":"a"}""", "\"content_filter\""), Usage],
    };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Updates_MeanTheSame(string name)
    {
        await using var both = new BothClients(Events(s_cases[name]), streams: true);

        List<ChatResponseUpdate> theirs = await both.Theirs.GetStreamingResponseAsync("a", cancellationToken: Cancel).ToListAsync(Cancel);
        List<ChatResponseUpdate> ours = await both.Ours.GetStreamingResponseAsync("a", cancellationToken: Cancel).ToListAsync(Cancel);

        Assert.Equal(Meaning.Of(both.Bodies[0]), Meaning.Of(both.Bodies[1]));
        Assert.Equal(Meaning.Of(theirs.ToChatResponse()), Meaning.Of(ours.ToChatResponse()));
        Assert.Equal(Said(theirs), Said(ours));

        static IEnumerable<string> Said(IEnumerable<ChatResponseUpdate> updates) =>
            updates.Where(update => update.Contents.Any(content => content is TextContent or TextReasoningContent)).Select(Meaning.Of);
    }

    [Fact]
    public async Task Refusal_IsAnErrorContent_AndDroppedByMicrosofts()
    {
        await using var both = new BothClients(Events([Chunk("""{"role":"assistant","refusal":"n"}"""), Chunk("""{"refusal":"o"}""", "\"stop\"")]), streams: true);

        ChatResponse theirs = await both.Theirs.GetStreamingResponseAsync("a", cancellationToken: Cancel).ToChatResponseAsync(Cancel);
        ChatResponse ours = await both.Ours.GetStreamingResponseAsync("a", cancellationToken: Cancel).ToChatResponseAsync(Cancel);

        Assert.Empty(theirs.Messages.SelectMany(message => message.Contents));
        Assert.Equal("no", Assert.IsType<ErrorContent>(Assert.Single(ours.Messages[0].Contents)).Message);
    }

    [Fact]
    public async Task FirstUpdate_ComesBeforeTheSecondToken()
    {
        var first = new TaskCompletionSource();
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            await connection.ChunkedHeadAsync(200, ("Content-Type", "text/event-stream"));
            await connection.ChunkAsync(Bytes(Chunk("""{"content":"a"}""")));
            await first.Task.WaitAsync(connection.Closing);
            await connection.ChunkAsync(Bytes(Chunk("""{"content":"b"}""", "\"stop\"")));
            await connection.ChunkAsync(default);
        });
        await using var both = new BothClients(server);

        string text = "";
        await foreach (ChatResponseUpdate update in both.Ours.GetStreamingResponseAsync("a", cancellationToken: Cancel))
        {
            text += update.Text;
            first.TrySetResult();
        }

        Assert.Equal("ab", text);
    }

    [Fact]
    public async Task Stream_ThatAnotherCallWatches_IsJoined()
    {
        var joined = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            await connection.ChunkedHeadAsync(200, ("Content-Type", "text/event-stream"));
            await connection.ChunkAsync(Bytes(Chunk("""{"content":"a"}""")));
            await joined.Task.WaitAsync(connection.Closing);
            await connection.ChunkAsync(Bytes(Chunk("""{"content":"b"}""", "\"stop\""), Usage));
            await connection.ChunkAsync(default);
        });
        await using var both = new BothClients(server);

        await using IAsyncEnumerator<ChatResponseUpdate> one = both.Ours.GetStreamingResponseAsync("a", cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        await using IAsyncEnumerator<ChatResponseUpdate> two = both.Ours.GetStreamingResponseAsync("a", cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        await one.MoveNextAsync();
        await two.MoveNextAsync();
        Assert.Equal(("a", "a"), (one.Current.Text, two.Current.Text));

        // As GetResponseAsync sends it, with the signal that it has joined the stream.
        LlmRequest request = ChatRequests.ToRequest([new ChatMessage(ChatRole.User, "a")], null, "m", both.Ours);
        var requests = new SingleRequest(both.Manager);
        using CallDeadline deadline = requests.Deadline(request, Cancel);
        Task<SingleAnswer<ChatCompletion>> whole = requests.SendAsync<ChatCompletion>(request, deadline, joined.SetResult, Cancel);
        List<ChatResponseUpdate> restOfOne = await RestAsync(one), restOfTwo = await RestAsync(two);

        Assert.Equal(("b", "b", "ab"), (string.Concat(restOfOne), string.Concat(restOfTwo), (await whole).Response.Text));
        Assert.Equal(7, Assert.Single(restOfOne[^1].Contents.OfType<UsageContent>()).Details.TotalTokenCount);
        Assert.Empty(restOfTwo[^1].Contents);
        Assert.Equal((false, true), (restOfOne[^1].AdditionalProperties![FastLLMProperties.Shared], restOfTwo[^1].AdditionalProperties![FastLLMProperties.Shared]));
        Assert.Single(both.Bodies);
    }

    [Fact]
    public async Task Stream_IsRecordedWhenWholeAndReplayed()
    {
        await using var server = FaultServer.Start(Fault.Respond(200, Events(s_cases["text"])));
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false, Cache = cache });
        using var client = new FastLLMChatClient(manager, "m");

        List<ChatResponseUpdate> updates = await client.GetStreamingResponseAsync("a", cancellationToken: Cancel).ToListAsync(Cancel);
        List<ChatResponseUpdate> replayed = await client.GetStreamingResponseAsync("a", cancellationToken: Cancel).ToListAsync(Cancel);
        ChatResponse whole = await client.GetResponseAsync("a", cancellationToken: Cancel);

        Assert.Equal(("ab", "ab", "ab"), (string.Concat(updates), string.Concat(replayed), whole.Text));
        Assert.Equal(true, replayed[^1].AdditionalProperties![FastLLMProperties.Cached]);
        Assert.Null(replayed.ToChatResponse().Usage);
        Assert.Equal(ChatFinishReason.Stop, replayed.ToChatResponse().FinishReason);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Stream_BreaksOffAfterAnUpdate_FailsAndIsNotSentAgain()
    {
        var seen = new TaskCompletionSource();
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            await connection.ChunkedHeadAsync(200, ("Content-Type", "text/event-stream"));
            await connection.ChunkAsync(Bytes(Chunk("""{"content":"a"}""")));
            await seen.Task.WaitAsync(connection.Closing);
            await connection.ChunkAsync(default);
        });
        var time = new ManualTimeProvider();
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false, TimeProvider = time });
        using var client = new FastLLMChatClient(manager, "m");
        List<string> texts = [];

        LlmException failure = await Assert.ThrowsAsync<LlmException>(async () =>
        {
            await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("a", cancellationToken: Cancel))
            {
                texts.Add(update.Text);
                seen.TrySetResult();
            }
        });

        Assert.Equal(FailureKind.IncompleteResponse, failure.Kind);
        Assert.Equal(["a"], texts);
        Assert.StartsWith("The stream broke off after a part of it was returned", failure.Message, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Stream_CallerLeaves_EndsTheRequest()
    {
        var left = new TaskCompletionSource();
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            await connection.ChunkedHeadAsync(200, ("Content-Type", "text/event-stream"));
            await connection.ChunkAsync(Bytes(Chunk("""{"content":"a"}""")));
            await connection.WaitForClientToLeaveAsync();
            left.SetResult();
        });
        await using var both = new BothClients(server);

        await foreach (ChatResponseUpdate update in both.Ours.GetStreamingResponseAsync("a", cancellationToken: Cancel))
        {
            break;
        }

        await left.Task.WaitAsync(Cancel);
    }

    [Fact]
    public async Task TwoHundredCallsWithTwentyQuestions_HalfStreamed_AreTwentySends()
    {
        await using var server = FaultServer.Start((request, connection) => (request.Text.Contains("\"stream\":true", StringComparison.Ordinal)
            ? Fault.Respond(200, Events(s_cases["text"])) : Fault.Respond(200, BothClients.Hello))(request, connection));
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false, Cache = cache });
        using var client = new FastLLMChatClient(manager, "m");

        ChatResponse[] responses = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => i % 2 == 0
            ? client.GetResponseAsync($"{i / 2 % 20}", cancellationToken: Cancel)
            : client.GetStreamingResponseAsync($"{i / 2 % 20}", cancellationToken: Cancel).ToChatResponseAsync(Cancel)));

        Assert.Equal(20, server.Requests.Count);
        Assert.All(responses, response => Assert.NotEmpty(response.Text));
    }

    private static string Chunk(string delta, string reason = "null") =>
        $$"""{"id":"c1","object":"chat.completion.chunk","created":1735689600,"model":"m-1","choices":[{"index":0,"delta":{{delta}},"finish_reason":{{reason}}}]}""";

    private static string Events(IEnumerable<string> chunks) => string.Concat(chunks.Append("[DONE]").Select(chunk => $"data: {chunk}\n\n"));

    private static byte[] Bytes(params string[] chunks) => [.. chunks.SelectMany(chunk => System.Text.Encoding.UTF8.GetBytes($"data: {chunk}\n\n"))];

    private static async Task<List<ChatResponseUpdate>> RestAsync(IAsyncEnumerator<ChatResponseUpdate> updates)
    {
        List<ChatResponseUpdate> rest = [];
        while (await updates.MoveNextAsync())
        {
            rest.Add(updates.Current);
        }

        return rest;
    }
}
