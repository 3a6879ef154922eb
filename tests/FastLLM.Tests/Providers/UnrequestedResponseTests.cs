using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.Tests.Pipeline;
using FastLLM.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>HTTP/1.1 does not number responses. One that was not requested must not be taken for the response to the next request.</summary>
public sealed class UnrequestedResponseTests : EngineTest
{
    [Fact]
    public async Task ResponseSentTwice_IsUsedOnce()
    {
        await using FaultServer server = FaultServer.Start(async (request, connection) =>
            await connection.SendAsync(Http(Echo(request)) + Http(Body("unrequested"))));

        await AssertEchoesAsync(server, 20, concurrency: 2);

        Assert.Equal(20, server.Requests.Count);
    }

    [Fact]
    public async Task ResponseInTheRestOfABody_IsIgnored()
    {
        await using FaultServer server = FaultServer.Start(async (request, connection) =>
            await connection.SendAsync(Http(Echo(request)) + "\n" + Http(Body("unrequested"))));

        await AssertEchoesAsync(server, 20, concurrency: 2);
    }

    [Fact]
    public async Task ConnectionsThatEndAfterOneResponse_CarryOneRequestFromThenOn()
    {
        var used = new HashSet<int>();
        await using FaultServer server = FaultServer.Start(async (request, connection) =>
        {
            bool isFirst;
            lock (used)
            {
                isFirst = used.Add(request.Connection);
            }

            if (isFirst)
            {
                await connection.SendAsync(Http(Echo(request)));
            }
            else
            {
                connection.Reset();
            }
        });

        await AssertEchoesAsync(server, 100, concurrency: 2);

        Assert.InRange(server.Requests.Count, 105, 115);
    }

    [Theory]
    [InlineData(4, 0, false)]
    [InlineData(5, 4, true)]
    [InlineData(5, 5, false)]
    [InlineData(100, 1_000, false)]
    public void Reused_MoreLostThanAnswered_BreaksTheGuard(int lost, int answered, bool isBroken)
    {
        var guard = new ConnectionGuard(NullLogger.Instance);
        for (var i = 0; i < answered; i++)
        {
            guard.Reused(isAnswered: true);
        }

        for (var i = 0; i < lost; i++)
        {
            guard.Reused(isAnswered: false);
        }

        Assert.Equal(isBroken, guard.IsBroken);
    }

    [Fact]
    public async Task CorrectServer_KeepsConnections()
    {
        await using FaultServer server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Encoding.UTF8.GetBytes(Echo(request))));

        await AssertEchoesAsync(server, 200, concurrency: 4);

        Assert.InRange(server.Connections, 1, 8);
    }

    [Fact]
    public async Task RefusalBeforeTheBodyWasSent_IsRead()
    {
        await using FaultServer server = FaultServer.Start((_, connection) => connection.RespondAsync(413, default));
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o => o.Concurrency = 1));

        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(
            [.. Enumerable.Range(0, 5).Select(i => LlmRequest.FromPrompt("test", new string((char)('a' + i), 2_000_000), "m"))], Ended);

        Assert.All(outcomes, outcome => Assert.Equal(FailureKind.RequestTooLarge, outcome.Error?.Kind));
    }

    [Theory]
    [InlineData(0, 0, 2)]
    [InlineData(1, 0, 25)]
    [InlineData(2, 0, 5)]
    [InlineData(2, 2_000, 10)]
    [InlineData(16, 0, 5)]
    [InlineData(17, 0, 0)]
    [InlineData(17, 1_000, 5)]
    [InlineData(17, 60_000, 25)]
    [InlineData(32, 0, 0)]
    [InlineData(64, 0, 25)]
    [InlineData(256, 0, 25)]
    public void RestBefore_DependsOnUseAndLatency(int requests, int latency, int rest) =>
        Assert.Equal(TimeSpan.FromMilliseconds(rest), NewGuard().RestBefore(requests, TimeSpan.FromMilliseconds(latency)));

    [Fact]
    public void RestBefore_AfterManyQuietRests_IsLongBeforeFirstReuseOnly()
    {
        ConnectionGuard guard = NewGuard();
        var rests = Enumerable.Range(0, 100).SelectMany(_ => Enumerable.Range(0, 16)).Select(requests => guard.RestBefore(requests, TimeSpan.Zero)).ToList();

        Assert.Equal(512, rests.Count(rest => rest == TimeSpan.FromMilliseconds(5)));
        Assert.Equal(100, rests.Count(rest => rest == TimeSpan.FromMilliseconds(25)));
    }

    [Theory]
    [InlineData(1024, 100, 860)]
    [InlineData(256, 250, 1)]
    [InlineData(256, -1, 1)]
    public void FreeOf_KeepsReserve(int limit, int used, int free) => Assert.Equal(free, Descriptors.FreeOf(limit, used));

    private static ConnectionGuard NewGuard() => new(NullLogger.Instance);

    private static async Task AssertEchoesAsync(FaultServer server, int count, int concurrency)
    {
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o => o.Concurrency = concurrency));
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(AskMany(count), Ended);

        Assert.Equal(
            Enumerable.Range(0, count).Select(i => $"echo question {i}"),
            outcomes.Select(outcome => Assert.IsType<ChatCompletion>(outcome.Response).Text));
    }

    private static string Echo(FaultRequest request)
    {
        using JsonDocument asked = JsonDocument.Parse(request.Body);
        return Body("echo " + asked.RootElement.GetProperty("messages")[0].GetProperty("content").GetString());
    }

    private static string Body(string text) => $$$"""{"choices":[{"message":{"content":"{{{text}}}"},"finish_reason":"stop"}]}""";

    private static string Http(string body) => string.Create(
        CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
}
