using System.Net;
using System.Net.Http.Headers;
using System.Text;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A send ends when its time is over, at whatever stage the server has stopped; its slot is free then, and it may be billed.</summary>
public sealed class DeadlineTests : EngineTest
{
    private const string Answer = """{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}""";
    private const string Role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    private const string Word = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"}}]}\n\n";
    private const string Stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    private const string Counted = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";

    [Fact]
    public async Task HeadersThatDrip_EndWithTheTimeOfTheFirstByte()
    {
        using var drip = new SemaphoreSlim(0);
        await using FaultServer server = FaultServer.Start([Fault.DripHeaders(drip.WaitAsync)], Fault.Respond(200, Answer));
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), OnManualClock(o => Patient(o, firstByte: 20)));

        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1), Ask(2)], Ended);
        await server.WaitForRequestsAsync(1, Ended);
        for (int second = 0; second < 19; second++)
        {
            drip.Release();
            Time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Single(server.Requests);
        Time.Advance(TimeSpan.FromSeconds(1.1));
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await batch;

        Assert.Equal(FailureKind.Timeout, outcomes[0].Error?.Kind);
        Assert.Contains("20 s (FirstByteTimeout)", outcomes[0].Error!.Message, StringComparison.Ordinal);
        Assert.True(outcomes[1].IsSuccess);
        Assert.Equal((1, 1L), (outcomes[0].MaybeBilled, manager.Stats.MaybeBilled));
    }

    [Theory]
    [InlineData(true, Word)]
    [InlineData(false, "x")]
    public async Task Timeout_EndsASlowBodyWithoutSilences(bool streamed, string drop)
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler, idle: 10)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = streamed }], Ended);
        for (int second = 0; second < 600; second += 6)
        {
            Assert.False(batch.IsCompleted);
            await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(drop), Ended);
            Time.Advance(TimeSpan.FromSeconds(6));
        }

        Time.Advance(TimeSpan.FromSeconds(0.1));
        ResponseWrapper<LlmResponse> outcome = (await batch)[0];

        Assert.Equal((FailureKind.Timeout, 1), (outcome.Error?.Kind, outcome.MaybeBilled));
        Assert.Contains("600 s (Timeout)", outcome.Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AStreamThatFallsSilent_EndsWithinAMinute_ThoughNobodySetATime()
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = true }], Ended);
        foreach (string piece in (string[])[Role, Word, Word])
        {
            await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(piece), Ended);
            Time.Advance(TimeSpan.FromSeconds(59));
        }

        Assert.False(batch.IsCompleted);
        Time.Advance(TimeSpan.FromSeconds(1.1));
        ResponseWrapper<LlmResponse> outcome = (await batch)[0];

        Assert.Equal((FailureKind.Timeout, 1), (outcome.Error?.Kind, outcome.MaybeBilled));
        Assert.Contains("60 s inside an answer (IdleTimeout)", outcome.Error!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(": keep-alive\n\n")]
    [InlineData("\n")]
    [InlineData("\r\n\r\n")]
    [InlineData("data:\n\n")]
    [InlineData("data: {}\n\n")]
    [InlineData("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n")]
    [InlineData("event: ping\ndata: {\"type\": \"ping\"}\n\n")]
    [InlineData(":")]
    public async Task IdleTimeout_CommentsAndBlanks_DoNotEndSilence(string drop)
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = true }], Ended);
        await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(Word), Ended);
        for (int second = 0; second < 59; second++)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(drop), Ended);
        }

        Assert.False(batch.IsCompleted);
        Time.Advance(TimeSpan.FromSeconds(1.1));

        Assert.Contains("60 s inside an answer (IdleTimeout)", (await batch)[0].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task IdleTimeout_SlowEvent_IsNoSilence()
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = true }], Ended);
        await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(Word), Ended);
        foreach (char c in Word.TrimEnd().Replace("ok", "ok!", StringComparison.Ordinal)[..9])
        {
            Time.Advance(TimeSpan.FromSeconds(30));
            await handler.Body.FeedAsync([(byte)c], Ended);
        }

        await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(Word.TrimEnd()[9..] + "\n\n" + Stop), Ended);
        await handler.Body.FeedAsync([], Ended);

        Assert.Equal("okok", Assert.IsType<ChatCompletion>((await batch)[0].Response).Text);
    }

    [Theory]
    [InlineData(true, ": keep-alive\n\n")]
    [InlineData(true, "\n")]
    [InlineData(true, "data: \n\n")]
    [InlineData(true, "data: {}\n\n")]
    [InlineData(false, " ")]
    [InlineData(false, ": keep-alive\n\n")]
    public async Task IdleTimeout_KeepAlivesBeforeContent_DoNotEndSilence(bool streamed, string drop)
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(
            new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler, idle: 30)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = streamed }], Ended);
        await handler.Body.WaitForReaderAsync(Ended);
        for (int second = 0; second < 29; second++)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(drop), Ended);
        }

        Assert.False(batch.IsCompleted);
        Time.Advance(TimeSpan.FromSeconds(1.1));

        Assert.Contains("30 s inside an answer (IdleTimeout)", (await batch)[0].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AStreamThatThinksBeforeItSpeaks_HasTheTimeOfTheAttempt()
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = true }], Ended);
        await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(Role), Ended);
        Time.Advance(TimeSpan.FromSeconds(500));
        await handler.Body.FeedAsync(Encoding.UTF8.GetBytes(Word + Stop), Ended);
        await handler.Body.FeedAsync([], Ended);

        Assert.Equal("ok", Assert.IsType<ChatCompletion>((await batch)[0].Response).Text);
    }

    [Fact]
    public async Task AStreamThatNeverSaysGoodbye_IsTheAnswerAllTheSame_WhenItIsWholeAndCounted()
    {
        await using FaultServer server = FaultServer.Start(async (_, connection) =>
        {
            await connection.ChunkedHeadAsync(200, ("Content-Type", "text/event-stream"));
            await connection.ChunkAsync(Encoding.UTF8.GetBytes(Role + Word + Stop + Counted));
            connection.Reset();
        });
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick());
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask(1) with { Stream = true }], Ended))[0];

        Assert.Equal(("ok", 3L), (Assert.IsType<ChatCompletion>(outcome.Response).Text, outcome.Usage!.PromptTokens));
    }

    [Fact]
    public async Task AnEndAfterDone_IsNotWaitedFor()
    {
        using var handler = new FedHandler();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => Patient(o, handler)));
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync([Ask(1) with { Stream = true }], Ended);
        await handler.Body.WaitForReaderAsync(Ended);
        _ = handler.Body.FeedAsync(Encoding.UTF8.GetBytes(Word + Stop + "data: [DONE]\n\n"), Ended);

        Assert.True((await batch)[0].IsSuccess);
    }

    private static void Patient(RequestManagerOptions options, HttpMessageHandler? handler = null, double? firstByte = null, double? idle = null)
    {
        options.Timeout = TimeSpan.FromSeconds(600);
        options.FirstByteTimeout = firstByte is { } first ? TimeSpan.FromSeconds(first) : null;
        options.IdleTimeout = idle is { } silence ? TimeSpan.FromSeconds(silence) : null;
        options.RetryAttempts = 1;
        options.Concurrency = 1;
        options.HttpMessageHandler = handler;
    }

    // Answers 200 with a body that the test feeds. What the request holds is read, as a connection would.
    private sealed class FedHandler : HttpMessageHandler
    {
        public HandFedStream Body { get; } = new();

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await request.Content!.CopyToAsync(System.IO.Stream.Null, cancellationToken);
            return new HttpResponseMessage(HttpStatusCode.OK)
            {
                Content = new StreamContent(Body) { Headers = { ContentType = new MediaTypeHeaderValue("text/event-stream") } },
            };
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                Body.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
