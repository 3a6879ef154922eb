using System.Net.Sockets;
using System.Text;
using FastLLM.TestKit;
using Microsoft.Extensions.Logging;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A lack of resources of the process or the system does not fail a request.</summary>
public sealed class ProcessLimitTests : EngineTest
{
    private const string Answer = """{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}""";

    public static TheoryData<string, Func<Exception>> Wants => new()
    {
        { "connect", () => new HttpRequestException(HttpRequestError.ConnectionError, "connect", new SocketException((int)SocketError.TooManyOpenSockets)) },
        { "name", () => new HttpRequestException(HttpRequestError.NameResolutionError, "name", new SocketException((int)SocketError.TooManyOpenSockets)) },
        { "file", () => new IOException("Too many open files", 24) },
    };

    [Theory]
    [MemberData(nameof(Wants))]
    public async Task TooManyOpenFiles_WaitsWithoutCost(string what, Func<Exception> fault)
    {
        var sends = 0;
        using var handler = new Handler(() => Interlocked.Increment(ref sends) <= 5 ? throw fault() : Answer);
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), OnManualClock(o => { o.RetryAttempts = 1; o.HttpMessageHandler = handler; o.Timeout = Timeout.InfiniteTimeSpan; }));

        ResponseWrapper<LlmResponse> outcome = (await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended)))[0];

        Assert.True(outcome.IsSuccess, what);
        Assert.Equal((1, 0, 0L), (outcome.Attempts, outcome.MaybeBilled, manager.Stats.Throttled));
        Assert.Equal((1L, 0L), (manager.Stats.Sent, manager.Stats.Retried));
    }

    [Fact]
    public async Task Concurrency_MoreThanDescriptors_IsLoweredWithOneNotice()
    {
        var log = new ListLogger();
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), Quick(o => { o.Concurrency = 100_000; o.Logger = log; }));

        Assert.InRange(manager.Stats.ConcurrencyCeiling, 1, 100_000);
        Assert.Equal(manager.Stats.ConcurrencyCeiling < 100_000 ? 1 : 0, log.Lines.Count(line => line.Contains("ulimit -n", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Concurrency_WithOwnHandler_IsNotLowered()
    {
        using var handler = new Handler(() => Answer);
        await using var manager = new RequestManager(new OpenAIProvider("", "http://nowhere.invalid/v1"), Quick(o => { o.Concurrency = 100_000; o.HttpMessageHandler = handler; }));

        Assert.Equal(100_000, manager.Stats.ConcurrencyCeiling);
    }

    [Fact]
    public async Task Refresh_AnswerDatedInTheFuture_IsSentAgain()
    {
        await using var cache = new InMemoryCache();
        using var handler = new Handler(() => Answer);
        var provider = new OpenAIProvider("", "http://nowhere.invalid/v1");
        await cache.PutAsync(Ask(1).Key, new CacheEntry(Encoding.UTF8.GetBytes(Answer), provider.CacheScope, 200, Time.GetUtcNow() + TimeSpan.FromDays(400)), Ended);
        await using var manager = new RequestManager(
            provider, OnManualClock(o => { o.HttpMessageHandler = handler; o.Cache = cache; o.RefreshFinishReasons = [RequestManagerOptions.AnyFinishReason]; }));

        ResponseWrapper<LlmResponse> first = (await manager.ProcessBatchAsync([Ask(1)], Ended))[0];
        ResponseWrapper<LlmResponse> second = (await manager.ProcessBatchAsync([Ask(1)], Ended))[0];

        Assert.Equal((false, true), (first.IsCacheHit, second.IsCacheHit));
    }

    [Fact]
    public async Task StoppedRun_UnsentRows_AreNotCounted()
    {
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.Authentication, "bad key"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));

        await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync([Ask(1), Ask(1), Ask(2), Ask(2)], Ended));

        Assert.InRange(manager.Stats.RequestsCompleted, 1, 4);
        Assert.Equal((manager.Stats.RequestsCompleted, 0L), (manager.Stats.Failed, manager.Stats.Shared));
    }

    private sealed class Handler(Func<string> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return new HttpResponseMessage { Content = new StringContent(answer()) };
        }
    }

    private sealed class ListLogger : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add(formatter(state, exception));
    }
}
