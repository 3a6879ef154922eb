using System.Text;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.TestKit;
using Microsoft.Extensions.Logging;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>Who is asked for a stream, with which bytes, and what becomes of servers that give none.</summary>
public sealed class StreamModeTests
{
    private const string Plain = """{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}""";
    private const string Events = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    private const string Asks = ""","stream":true,"stream_options":{"include_usage":true}}""";
    private const string Row = """{"model":"m", "messages":[{"role":"user","content":"hi"}] """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AsRequested_Row_IsSentByteForByte()
    {
        await using FaultServer server = Streaming();
        string body = Row + ""","stream":true}""" + "\n";
        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, LlmRequest.FromJson(body));

        Assert.Equal("ok", Assert.IsType<ChatCompletion>(outcome.Response).Text);
        Assert.Equal(body, Assert.Single(server.Requests).Text);
        Assert.Null(server.Requests[0].Header("Accept-Encoding"));
    }

    [Fact]
    public async Task AsRequested_RequestFromCode_RequestsUsage()
    {
        await using FaultServer server = Streaming();
        LlmRequest request = Ask() with { Stream = true };
        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, request);

        Assert.True(outcome.IsSuccess);
        Assert.Equal(Encoding.UTF8.GetString(request.Body.Span)[..^1] + ""","stream_options":{"include_usage":true}}""", server.Requests[0].Text);
        Assert.Equal((Ask().Key.ToString(), 2L), (outcome.RequestId, outcome.Usage!.CompletionTokens));
    }

    [Theory]
    [InlineData("/v1/chat/completions", Row + "}", Row + Asks)]
    [InlineData("/v1/chat/completions", Row + "} \n", Row + Asks)]
    [InlineData("/v1/chat/completions", Row + ""","stream":false}""", Row + ""","stream":false}""")]
    [InlineData("/v1/chat/completions", Row + ""","stream_options":null}""", Row + ""","stream_options":null}""")]
    [InlineData("/v1/chat/completions", Row + ""","metadata":{"stream":"x"}}""", Row + ""","metadata":{"stream":"x"}""" + Asks)]
    [InlineData("/v1/completions", """{"model":"m","prompt":"hi"}""", """{"model":"m","prompt":"hi" """)]
    [InlineData("/v1/responses", """{"model":"m","input":"hi"}""", """{"model":"m","input":"hi","stream":true}""")]
    [InlineData("/v1/embeddings", """{"model":"m","input":"hi"}""", """{"model":"m","input":"hi"}""")]
    public async Task Auto_AddsMembersToTheEndOfTheBody(string endpoint, string body, string sent)
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, """{"status":"completed","choices":[{"message":{},"text":"x","finish_reason":"stop"}],"data":[{"embedding":[1]}]}"""));
        ResponseWrapper<LlmResponse> outcome = await SendAsync(server, LlmRequest.FromBody(endpoint, Encoding.UTF8.GetBytes(body)), StreamMode.Auto);

        Assert.Null(outcome.Error);
        Assert.Equal(sent.EndsWith(' ') ? sent.TrimEnd() + Asks : sent, Assert.Single(server.Requests).Text);
        Assert.Equal($"{server.Requests[0].Body.Length}", server.Requests[0].Header("Content-Length"));
    }

    [Fact]
    public async Task Auto_ResponseAndKey_AreTheSame()
    {
        await using FaultServer server = Streaming();
        await using var cache = new InMemoryCache();
        ResponseWrapper<LlmResponse> first = await SendAsync(server, Ask(), StreamMode.Auto, cache);
        ResponseWrapper<LlmResponse> second = await SendAsync(server, Ask(), StreamMode.AsRequested, cache);

        Assert.Equal((false, true, 1), (first.IsCacheHit, second.IsCacheHit, server.Requests.Count));
        Assert.Equal(first.Response!.RawBody.ToArray(), second.Response!.RawBody.ToArray());
        Assert.Contains("\"stream\":true", server.Requests[0].Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400, """{"error":{"message":"Your organization must be verified to stream this model.","type":"invalid_request_error","param":"stream","code":"unsupported_value"}}""")]
    [InlineData(400, """{"error":{"message":"Streaming is not supported."}}""")]
    [InlineData(422, """{"detail":[{"loc":["body","stream"],"msg":"extra fields not permitted: stream"}],"message":"stream: extra fields not permitted"}""")]
    [InlineData(501, "not implemented")]
    public async Task Auto_StreamRefused_IsLearnedAndLoggedOnce(int status, string refusal)
    {
        await using FaultServer server = FaultServer.Start((request, connection) => Answer(request, connection, request.Text.Contains("\"stream\"", StringComparison.Ordinal), status, refusal));
        var log = new Recorder();
        await using RequestManager manager = Manager(server, StreamMode.Auto, log: log);
        ResponseWrapper<LlmResponse> first = (await manager.ProcessBatchAsync([Ask("1")], Cancel))[0];
        ResponseWrapper<LlmResponse> second = (await manager.ProcessBatchAsync([Ask("2")], Cancel))[0];
        await manager.ProcessBatchAsync([Ask("3", "other")], Cancel);

        Assert.Equal((true, 2, true, 1), (first.IsSuccess, first.Attempts, second.IsSuccess, second.Attempts));
        Assert.Equal([true, false, false, true, false], server.Requests.Select(r => r.Text.Contains("\"stream\"", StringComparison.Ordinal)));
        Assert.Equal(2, manager.Stats.Retried);
        Assert.Equal([421, 421], log.Events);
    }

    [Theory]
    [InlineData("""{"error":{"message":"Unknown parameter: 'stream_options'.","param":"stream_options"}}""")]
    [InlineData("""{"error":{"message":"Unrecognized request argument supplied: stream_options"}}""")]
    public async Task Auto_UsageRefused_StreamsWithout(string refusal)
    {
        await using FaultServer server = FaultServer.Start((request, connection) => Answer(request, connection, request.Text.Contains("stream_options", StringComparison.Ordinal), 400, refusal, Events));
        var log = new Recorder();
        await using RequestManager manager = Manager(server, StreamMode.Auto, log: log);
        await manager.ProcessBatchAsync([Ask("1")], Cancel);
        ResponseWrapper<LlmResponse> second = (await manager.ProcessBatchAsync([Ask("2")], Cancel))[0];
        ResponseWrapper<LlmResponse> third = (await manager.ProcessBatchAsync([Ask("3") with { Stream = true }], Cancel))[0];

        Assert.Equal((true, 1, true, 1), (second.IsSuccess, second.Attempts, third.IsSuccess, third.Attempts));
        Assert.Equal(4, server.Requests.Count);
        Assert.All(server.Requests, request => Assert.Contains("\"stream\":true", request.Text, StringComparison.Ordinal));
        Assert.Equal([422], log.Events);
    }

    [Fact]
    public async Task Auto_PlainResponse_IsAcceptedAndLearned()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Plain));
        await using RequestManager manager = Manager(server, StreamMode.Auto);
        await manager.ProcessBatchAsync([Ask("1")], Cancel);
        await manager.ProcessBatchAsync([Ask("2")], Cancel);

        Assert.Equal([true, false], server.Requests.Select(r => r.Text.Contains("\"stream\"", StringComparison.Ordinal)));
        Assert.Equal((2L, 0L), (manager.Stats.RequestsCompleted, manager.Stats.Failed));
    }

    [Fact]
    public async Task Auto_FirstStreamIncomplete_IsLearned()
    {
        const string unfinished = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"}}]}\n\n";
        await using FaultServer never = FaultServer.Start((request, connection) => Answer(request, connection, request.Text.Contains("\"stream\"", StringComparison.Ordinal), 200, unfinished));
        await using RequestManager manager = Manager(never, StreamMode.Auto);
        ResponseWrapper<LlmResponse> first = (await manager.ProcessBatchAsync([Ask("1")], Cancel))[0];
        Assert.Equal((true, 2, 1), (first.IsSuccess, first.Attempts, first.MaybeBilled));

        await using FaultServer sometimes = FaultServer.Start([Fault.Respond(200, Events), Fault.Respond(200, unfinished)], Fault.Respond(200, Events));
        await using RequestManager other = Manager(sometimes, StreamMode.Auto, attempts: 2);
        await other.ProcessBatchAsync([Ask("1")], Cancel);
        await other.ProcessBatchAsync([Ask("2")], Cancel);
        Assert.Equal(3, sometimes.Requests.Count);
        Assert.All(sometimes.Requests, request => Assert.Contains("\"stream\":true", request.Text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}]}\n\ndata: [DONE]\n\n")]
    [InlineData("data: {\"error\":{\"message\":\"oops\"}}\n\n")]
    public async Task Auto_FirstStreamHasAnError_IsNotLearned(string failing)
    {
        await using FaultServer server = FaultServer.Start([Fault.Respond(200, failing)], Fault.Respond(200, Events));
        await using RequestManager manager = Manager(server, StreamMode.Auto, attempts: 2);
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask()], Cancel))[0];

        Assert.Equal((true, 2), (outcome.IsSuccess, outcome.Attempts));
        Assert.All(server.Requests, request => Assert.Contains("\"stream\":true", request.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Auto_OtherRefusal_FailsTheRow()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(400, """{"error":{"message":"bad messages"}}"""));
        Assert.Equal(1, (await SendAsync(server, Ask(), StreamMode.Auto)).Attempts);

        await using FaultServer refusing = FaultServer.Start(Fault.Respond(400, """{"error":{"message":"no stream","param":"stream"}}"""));
        ResponseWrapper<LlmResponse> outcome = await SendAsync(refusing, LlmRequest.FromJson(Row + ""","stream":true}"""), StreamMode.Auto);
        Assert.Equal((FailureKind.InvalidRequest, 1), (outcome.Error!.Kind, refusing.Requests.Count));
    }

    [Fact]
    public async Task Stream_OverTheLimit_FailsWithoutRetryAndNamesTheLimit()
    {
        string text = new('x', 500);
        (string Piece, int MaxBytes, string Message)[] cases =
        [
            ($$$"""data: {"choices":[{"index":0,"delta":{"content":"{{{text}}}"}}]}""" + "\n\n", 64 * 1024, "The answer is larger than 65,536 bytes."),
            ($": {text}\n\n", 64 * 1024, "The stream is 16 times as large as an answer may be (65,536 bytes)."),
            (text, 64 * 1024, "The stream is 16 times as large as an answer may be (65,536 bytes)."),
            (text + text, 64 << 20, "The stream has a line or an event of more than 8 MB."),
        ];
        foreach ((string piece, int maxBytes, string message) in cases)
        {
            await using FaultServer server = FaultServer.Start(async (_, connection) =>
            {
                await connection.HeadAsync(200, ("Content-Type", "text/event-stream"), ("Connection", "close"));
                while (true)
                {
                    await connection.SendAsync(piece);
                }
            });
            await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { MaxResponseBytes = maxBytes, ShowProgress = false });
            ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask() with { Stream = true }], Cancel))[0];

            Assert.EndsWith(message, outcome.Error!.Message, StringComparison.Ordinal);
            Assert.Equal((FailureKind.ResponseTooLarge, 200, 1), (outcome.Error!.Kind, outcome.Error.StatusCode, server.Requests.Count));
        }
    }

    [Fact]
    public async Task Stream_ConnectionLost_IsRetried()
    {
        byte[] half = Encoding.UTF8.GetBytes("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n");
        FaultStep[] faults = [Fault.Chunked(200, [half], cut: true), Fault.WrongLength(200, half, 1000), Fault.ResetMidBody(200, half), Fault.CloseDelimited(200, half)];
        await using FaultServer server = FaultServer.Start(faults, Fault.Respond(200, Events));
        await using RequestManager manager = Manager(server, attempts: 5);
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask() with { Stream = true }], Cancel))[0];

        Assert.Equal(("ok", 5, 4), (Assert.IsType<ChatCompletion>(outcome.Response).Text, outcome.Attempts, outcome.MaybeBilled));
    }

    [Fact]
    public async Task Stream_Done_ConnectionIsReused()
    {
        await using FaultServer server = FaultServer.Start(Fault.Chunked(200, [Encoding.UTF8.GetBytes(Events)]));
        await using RequestManager manager = Manager(server, StreamMode.Auto);
        for (int i = 0; i < 60; i++)
        {
            Assert.True((await manager.ProcessBatchAsync([Ask($"{i}")], Cancel))[0].IsSuccess);
        }

        // The last bytes of an answer may still be on their way when the next request wants a connection; then there are a few.
        Assert.InRange(server.Connections, 1, 15);
    }

    [Fact]
    public async Task Stream_RepeatsTheKey_FailureHasNoKey()
    {
        const string canary = "sk-canary-0123456789abcdef";
        foreach (string stream in (string[])[
            $"data: {{\"error\":{{\"message\":\"bad key {canary}\"}}}}\n\n", $"data: {canary}\n\n", $"error: {canary}\n\n", $"data: {{\"choices\":[{{\"delta\":{{\"content\":\"{canary}\"}}}}]}}\n\n"])
        {
            await using FaultServer server = FaultServer.Start(Fault.Respond(200, stream));
            await using var manager = new RequestManager(new OpenAIProvider(canary, server.ApiBase), new RequestManagerOptions { RetryAttempts = 1, ShowProgress = false });
            LlmException failure = (await manager.ProcessBatchAsync([Ask() with { Stream = true }], Cancel))[0].Error!;

            Assert.DoesNotContain(canary, $"{failure} {failure.Body}", StringComparison.Ordinal);
        }
    }

    private static FaultServer Streaming() => FaultServer.Start(Fault.Respond(200, Events, ("Content-Type", "text/event-stream")));

    private static Task Answer(FaultRequest request, FaultConnection connection, bool refuses, int status, string refusal, string otherwise = Plain) => refuses
        ? connection.RespondAsync(status, Encoding.UTF8.GetBytes(refusal))
        : connection.RespondAsync(200, Encoding.UTF8.GetBytes(otherwise));

    private static LlmRequest Ask(string prompt = "hi", string model = "m") => LlmRequest.FromPrompt(null, prompt, model);

    private static RequestManager Manager(FaultServer server, StreamMode mode = StreamMode.AsRequested, CacheProvider? cache = null, ILogger? log = null, int attempts = 1) =>
        new(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { StreamMode = mode, RetryAttempts = attempts, RetryDelay = TimeSpan.Zero, ShowProgress = false, Cache = cache, Logger = log });

    private static async Task<ResponseWrapper<LlmResponse>> SendAsync(FaultServer server, LlmRequest request, StreamMode mode = StreamMode.AsRequested, CacheProvider? cache = null)
    {
        await using RequestManager manager = Manager(server, mode, cache);
        return Assert.Single(await manager.ProcessBatchAsync([request], Cancel));
    }

    private sealed class Recorder : ILogger
    {
        private readonly List<int> _events = [];

        public IReadOnlyList<int> Events => _events;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => _events.Add(eventId.Id);
    }
}
