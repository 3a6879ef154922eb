using System.Net;
using System.Text;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class FaultServerTests : IDisposable
{
    private static readonly byte[] s_body = """{"answer":"0123456789"}"""u8.ToArray();

    private readonly HttpClient _client = new(new SocketsHttpHandler { AllowAutoRedirect = false, AutomaticDecompression = DecompressionMethods.GZip });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, FaultStep> CutAnswers => new()
    {
        { "RST before the response", Fault.ResetBeforeResponse() },
        { "FIN before the response", Fault.CloseBeforeResponse() },
        { "RST in the body", Fault.ResetMidBody(200, s_body) },
        { "length too long", Fault.WrongLength(200, s_body, s_body.Length + 5) },
        { "chunked, cut", Fault.Chunked(200, [s_body.AsMemory(0, 5), s_body.AsMemory(5)], cut: true) },
    };

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Requests_AreRecordedByteForByte()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(201, s_body, ("X-Odd", "1"), ("X-Odd", "2")));
        foreach (bool chunked in (bool[])[false, true])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, server.ApiBase + "/things?q=1") { Content = new StringContent("{\"é\":1}") };
            request.Headers.TransferEncodingChunked = chunked;
            using HttpResponseMessage response = await _client.SendAsync(request, Cancel);
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
            Assert.Equal(["1", "2"], response.Headers.GetValues("X-Odd"));
            Assert.Equal(s_body, await response.Content.ReadAsByteArrayAsync(Cancel));
        }

        Assert.Equal(1, server.Connections);
        Assert.Equal([1, 2], server.Requests.Select(r => r.Number));
        Assert.All(server.Requests, r =>
        {
            Assert.Equal(("POST", "/v1/things?q=1", "{\"é\":1}"), (r.Method, r.Path, r.Text));
            Assert.StartsWith("POST /v1/things?q=1 HTTP/1.1\r\n", Encoding.Latin1.GetString(r.Head.Span), StringComparison.Ordinal);
        });
        Assert.Equal("chunked", server.Requests[1].Header("transfer-encoding"));
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task Steps_RunInOrder_ThenTheDefault()
    {
        await using FaultServer server = FaultServer.Start([Fault.Respond(500, "{}"), Fault.Respond(429, "{}")], otherwise: Fault.Respond(200, s_body));
        var statuses = new List<int>();
        for (int i = 0; i < 4; i++)
        {
            using HttpResponseMessage response = await PostAsync(server);
            statuses.Add((int)response.StatusCode);
        }

        Assert.Equal([500, 429, 200, 200], statuses);
    }

    [Theory]
    [MemberData(nameof(CutAnswers), DisableDiscoveryEnumeration = true)]
    public async Task Cut_IsAnErrorAtTheClient(string fault, FaultStep step)
    {
        await using FaultServer server = FaultServer.Start(step);
        Exception? error = await Record.ExceptionAsync(() => PostAsync(server));
        Assert.True(error is HttpRequestException, fault + ": " + error);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Cut_WithoutALength_LooksComplete()
    {
        await using FaultServer server = FaultServer.Start([Fault.CloseDelimited(200, s_body.AsMemory(0, 7)), Fault.HalfCloseAfterHeaders(200)], Fault.Chunked(200, [s_body]));
        using HttpResponseMessage cut = await PostAsync(server);
        Assert.Equal(s_body[..7], await cut.Content.ReadAsByteArrayAsync(Cancel));
        using HttpResponseMessage empty = await PostAsync(server);
        Assert.Empty(await empty.Content.ReadAsByteArrayAsync(Cancel));
        using HttpResponseMessage whole = await PostAsync(server);
        Assert.Equal(s_body, await whole.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Fact]
    public async Task ShortLength_LeavesTheRestInTheConnection()
    {
        await using FaultServer server = FaultServer.Start(Fault.WrongLength(200, s_body, 4));
        using HttpResponseMessage response = await PostAsync(server);
        Assert.Equal(s_body[..4], await response.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Theory]
    [InlineData(FaultStage.BeforeHeaders)]
    [InlineData(FaultStage.InHeaders)]
    [InlineData(FaultStage.AfterHeaders)]
    [InlineData(FaultStage.InBody)]
    public async Task Stall_LastsUntilItIsReleased(FaultStage stage)
    {
        var release = new TaskCompletionSource();
        await using FaultServer server = FaultServer.Start(Fault.Stall(stage, 200, s_body, release.Task));
        Task<HttpResponseMessage> waiting = PostAsync(server);
        await server.WaitForRequestsAsync(1, Cancel);
        Assert.False(waiting.IsCompleted);

        release.SetResult();
        using HttpResponseMessage response = await waiting;
        Assert.Equal(s_body, await response.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Fact]
    public async Task Dispose_EndsStalledConnections()
    {
        FaultServer server = FaultServer.Start(Fault.Stall(FaultStage.InBody, 200, s_body));
        Task<HttpResponseMessage> waiting = PostAsync(server);
        await server.WaitForRequestsAsync(1, Cancel);
        await server.DisposeAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => waiting);
    }

    [Fact]
    public async Task DripHeaders_ArriveOnSignals()
    {
        using var drops = new SemaphoreSlim(0);
        int taken = 0;
        var third = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using FaultServer server = FaultServer.Start(Fault.DripHeaders(async cancellationToken =>
        {
            await drops.WaitAsync(cancellationToken);
            if (++taken == 3)
            {
                third.SetResult();
            }
        }));
        using var give = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task<HttpResponseMessage> waiting = PostAsync(server, give.Token);
        drops.Release(3);
        await third.Task.WaitAsync(Cancel);
        Assert.False(waiting.IsCompleted);

        await give.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task Redirect_NamesTheOtherHost()
    {
        await using FaultServer other = FaultServer.Start(Fault.Respond(200, s_body));
        await using FaultServer server = FaultServer.Start(Fault.Redirect(307, other.BaseUrl));
        using HttpResponseMessage response = await PostAsync(server);
        Assert.Equal((HttpStatusCode.TemporaryRedirect, other.BaseUrl), (response.StatusCode, response.Headers.Location));
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task Gzip_IsCompleteOrDamaged()
    {
        await using FaultServer server = FaultServer.Start(
            [Fault.Gzip(200, s_body)],
            Fault.Gzip(200, s_body, bytes => [.. bytes[..10], (byte)(bytes[10] ^ 0xFF), .. bytes[11..]]));
        using HttpResponseMessage whole = await PostAsync(server);
        Assert.Equal(s_body, await whole.Content.ReadAsByteArrayAsync(Cancel));
        await Assert.ThrowsAnyAsync<Exception>(() => PostAsync(server));
    }

    [Fact]
    public async Task Step_Throws_IsRecorded()
    {
        await using FaultServer server = FaultServer.Start((_, _) => throw new InvalidOperationException("a slip in the test"));
        await Assert.ThrowsAsync<HttpRequestException>(() => PostAsync(server));
        Assert.IsType<InvalidOperationException>(Assert.Single(server.Errors));
    }

    private async Task<HttpResponseMessage> PostAsync(FaultServer server, CancellationToken? cancellationToken = null)
    {
        using var content = new StringContent("{}");
        return await _client.PostAsync(new Uri(server.ApiBase + "/chat/completions"), content, cancellationToken ?? Cancel);
    }
}
