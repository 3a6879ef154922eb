using System.Text;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>Responses whose connection is lost, and responses with other statuses than 200.</summary>
public sealed class CutResponseTests
{
    private const string Answer = """{"choices":[{"index":0,"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}""";
    private const string Events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, bool, FailureKind> Cuts => new()
    {
        { "length too long", Answer[..40], false, FailureKind.IncompleteResponse },
        { "chunks", Answer[..40], false, FailureKind.IncompleteResponse },
        { "reset", Answer, false, FailureKind.IncompleteResponse },
        { "length too long", Events, true, FailureKind.IncompleteResponse },
        { "chunks", Events, true, FailureKind.IncompleteResponse },
        { "reset", Events + Events, true, FailureKind.IncompleteResponse },
        { "length too long", Answer[..40], true, FailureKind.IncompleteResponse },

        // Nothing of the answer has arrived.
        { "length too long", "", false, FailureKind.ConnectionLost },
        { "length too long", "  ", false, FailureKind.ConnectionLost },
        { "length too long", "", true, FailureKind.ConnectionLost },
        { "chunks", ": keep-alive\n\n", true, FailureKind.ConnectionLost },
    };

    [Theory]
    [MemberData(nameof(Cuts), DisableDiscoveryEnumeration = true)]
    public async Task ConnectionLostInTheBody_IsATruncatedResponse_WithItsAttempts(string how, string body, bool streams, FailureKind kind)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        FaultStep cut = how switch
        {
            "chunks" => Fault.Chunked(200, [bytes], cut: true),
            "reset" => Fault.ResetMidBody(200, bytes),
            _ => Fault.WrongLength(200, bytes, bytes.Length + 100),
        };
        await using FaultServer server = FaultServer.Start(cut);

        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, streams);

        Assert.Equal((kind, 3, 3), (outcome.Error!.Kind, outcome.Attempts, outcome.MaybeBilled));
        Assert.Equal(kind == FailureKind.IncompleteResponse ? 200 : null, outcome.Error.StatusCode);
    }

    [Theory]
    [InlineData(500, FailureKind.ServerError)]
    [InlineData(400, FailureKind.InvalidRequest)]
    public async Task ConnectionLostInARefusal_IsTheRefusal(int status, FailureKind kind)
    {
        await using FaultServer server = FaultServer.Start(Fault.WrongLength(status, """{"error":{"mess"""u8.ToArray(), 100));

        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, streams: false);

        Assert.Equal((kind, status), (outcome.Error!.Kind, outcome.Error.StatusCode));
    }

    [Theory]
    [InlineData(201, Answer, null)]
    [InlineData(202, Answer, null)]
    [InlineData(206, Answer, null)]
    [InlineData(202, "", FailureKind.InvalidResponse)]
    [InlineData(202, """{"id":"job-1","status":"queued"}""", FailureKind.IncompleteResponse)]
    [InlineData(202, "accepted", FailureKind.InvalidResponse)]
    [InlineData(206, """{"choices":[{"ind""", FailureKind.IncompleteResponse)]
    public async Task OtherStatusesOfSuccess_TheBodyDecides_AndTheStatusIsKept(int status, string body, FailureKind? kind)
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(status, body));
        var cache = new InMemoryCache();

        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, streams: false, cache);

        Assert.Equal(kind, outcome.Error?.Kind);
        Assert.Equal(status, kind is null ? outcome.Response.StatusCode : outcome.Error!.StatusCode);
        if (kind is null)
        {
            ResponseWrapper<LlmResponse> cached = await SendAsync(server, streams: false, cache);
            Assert.Equal((true, status, 1), (cached.IsCacheHit, cached.Response.StatusCode, server.Requests.Count));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SwitchToAnotherProtocol_IsAFailure_AndNothingMoreIsAwaited(bool streams)
    {
        await using FaultServer server = FaultServer.Start(Fault.Stall(FaultStage.AfterHeaders, 101, Encoding.UTF8.GetBytes(Answer)));

        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, streams);

        Assert.Equal((FailureKind.ServerError, 101, 3), (outcome.Error!.Kind, outcome.Error.StatusCode, outcome.Attempts));
    }

    [Fact]
    public async Task CutJson_IsDescribedInOurWords()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Answer[..^1]));

        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, streams: false);

        Assert.Equal(
            "The answer is not complete JSON. It ends too early: a closing brace or bracket is missing.", outcome.Error!.Message);
    }

    private static async Task<ResponseWrapper<LlmResponse>> SendAsync(FaultServer server, bool streams, CacheProvider? cache = null)
    {
        var options = new RequestManagerOptions { ShowProgress = false, RetryDelay = TimeSpan.Zero, Timeout = Timeout.InfiniteTimeSpan, Cache = cache };
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), options);
        return (await manager.ProcessBatchAsync([LlmRequest.FromPrompt("test", "hi", "m") with { Stream = streams }], Cancel))[0];
    }
}
