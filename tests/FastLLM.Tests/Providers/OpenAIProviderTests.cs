using System.Text;
using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>The built-in provider on the wire.</summary>
public sealed class OpenAIProviderTests
{
    private const string Canary = "sk-canary-0123456789abcdef";
    private const string Answer = """{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}""";
    private const string Vectors = """{"data":[{"index":0,"embedding":[1]}]}""";
    private const string NoTemperature = """{"error":{"message":"Unsupported value: 'temperature' does not support 0.7 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/responses", "\"background\":true", true)]
    [InlineData("/v1/responses", "\"\\u0062ackground\":true", true)]
    [InlineData("/v1/responses", "\"background\":false", false)]
    [InlineData("/v1/responses", "\"metadata\":{\"background\":true}", false)]
    [InlineData("/v1/chat/completions", "\"background\":true", false)]
    public void Refuse_BackgroundResponse_IsNotSent(string endpoint, string field, bool isRefused)
    {
        var provider = new OpenAIProvider("", "http://127.0.0.1:1/v1");

        LlmException? refusal = provider.Refuse(LlmRequest.FromBody(endpoint, System.Text.Encoding.UTF8.GetBytes($$"""{"model":"m","input":"x",{{field}}}""")));

        Assert.Equal(isRefused ? FailureKind.NotSupported : null, refusal?.Kind);
    }

    [Fact]
    public async Task Wire_CarriesPathHeadersAndTheBodyByteForByte()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Answer));
        const string body = """{ "model" : "m","messages":[{"role":"user","content":"\u0068i"}] }""";
        var provider = new OpenAIProvider($" {Canary}\n", server.ApiBase + "/", " org-1 ", new Dictionary<string, string> { ["X-Title"] = "t", ["openai-organization"] = "org-2" });
        ResponseWrapper<LlmResponse> outcome = await SendAsync(provider, LlmRequest.FromJson(body));

        Assert.Equal("ok", Assert.IsType<ChatCompletion>(outcome.Response).Text);
        FaultRequest seen = Assert.Single(server.Requests);
        Assert.Equal(("POST", "/v1/chat/completions", body), (seen.Method, seen.Path, seen.Text));
        Assert.Equal(
            [("Authorization", $"Bearer {Canary}"), ("Content-Length", $"{body.Length}"), ("Content-Type", "application/json"), ("Host", $"127.0.0.1:{server.Port}"), ("OpenAI-Organization", "org-2"), ("X-Title", "t")],
            seen.Headers.Select(h => (h.Key, h.Value)).OrderBy(h => h.Key, StringComparer.Ordinal));
    }

    [Fact]
    public async Task Wire_FollowsTheEndpoint_BelowTheBaseUrl()
    {
        await using FaultServer server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Encoding.UTF8.GetBytes(request.Path.EndsWith("embeddings", StringComparison.Ordinal) ? Vectors : """{"results":[]}""")));
        var provider = new OpenAIProvider("", $"http://127.0.0.1:{server.Port}/proxy/v1");
        await using RequestManager manager = Manager(provider);
        await manager.ProcessBatchAsync([new LlmRequest { Model = "e", Input = "x" }], Cancel);
        await manager.ProcessBatchAsync([new LlmRequest { Model = "e", Endpoint = "/v1/moderations" }], Cancel);
        await manager.ProcessBatchAsync([new LlmRequest { Model = "e", Endpoint = "/other" }], Cancel);

        Assert.Equal(["/proxy/v1/embeddings", "/proxy/v1/moderations", "/proxy/v1/other"], server.Requests.Select(r => r.Path));
        Assert.All(server.Requests, request => Assert.Null(request.Header("Authorization")));
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task Redirect_IsNotFollowed(int status)
    {
        await using FaultServer second = FaultServer.Start(Fault.Respond(200, Answer));
        await using FaultServer first = FaultServer.Start(Fault.Redirect(status, second.BaseUrl));
        ResponseWrapper<LlmResponse> outcome = await SendAsync(new OpenAIProvider(Canary, first.ApiBase), Ask());

        Assert.Equal((FailureKind.Redirect, status, 1), (outcome.Error!.Kind, outcome.Error.StatusCode, outcome.Attempts));
        Assert.Equal((1, 0, 0), (first.Requests.Count, second.Requests.Count, second.Connections));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ByteOrderMark_BeforeTheBody_IsNoPartOfIt(bool streams)
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, "\uFEFF" + Answer));
        ResponseWrapper<LlmResponse> outcome = await SendAsync(
            new OpenAIProvider(Canary, server.ApiBase), Ask() with { Stream = streams });

        ChatCompletion completion = Assert.IsType<ChatCompletion>(outcome.Response);
        Assert.Equal("ok", completion.Text);
        Assert.Equal(Answer, Encoding.UTF8.GetString(completion.RawBody.Span));
    }

    [Fact]
    public async Task GzipBody_IsAFailure()
    {
        await using FaultServer server = FaultServer.Start(Fault.Gzip(200, Encoding.UTF8.GetBytes(Answer)));
        ResponseWrapper<LlmResponse> outcome = await SendAsync(new OpenAIProvider(Canary, server.ApiBase), Ask());

        Assert.Equal(FailureKind.InvalidResponse, outcome.Error!.Kind);
        Assert.Null(server.Requests[0].Header("Accept-Encoding"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ResponseOverTheLimit_FailsWithoutRetry(bool chunked)
    {
        string large = Answer[..^1] + ",\"pad\":\"" + new string('x', 5000) + "\"}";
        byte[] body = Encoding.UTF8.GetBytes(large);
        await using FaultServer server = FaultServer.Start(chunked ? Fault.Chunked(200, [body.AsMemory(0, 600), body.AsMemory(600)]) : Fault.Respond(200, body));
        await using var manager = new RequestManager(new OpenAIProvider(Canary, server.ApiBase), new RequestManagerOptions { MaxResponseBytes = 4096, ShowProgress = false });
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask()], Cancel))[0];

        Assert.Equal((FailureKind.ResponseTooLarge, 200, 1), (outcome.Error!.Kind, outcome.Error.StatusCode, server.Requests.Count));
    }

    [Fact]
    public async Task HttpMessageHandler_SuppliedByCaller_IsNotDisposed()
    {
        using var handler = new RecordingHandler();
        await using (var manager = new RequestManager(new OpenAIProvider(Canary, "http://nowhere.invalid/v1"), new RequestManagerOptions { HttpMessageHandler = handler, ShowProgress = false }))
        {
            Assert.True((await manager.ProcessBatchAsync([Ask()], Cancel))[0].IsSuccess);
        }

        Assert.Equal((1, false), (handler.Sends, handler.Disposed));
    }

    [Fact]
    public async Task ApiKey_IsInNoException()
    {
        FaultStep[] faults =
        [
            Fault.Respond(500, "oops"), Fault.Respond(400, """{"error":{"message":"no"}}"""), Fault.Respond(200, "<html>"), Fault.ResetBeforeResponse(),
            Fault.CloseBeforeResponse(), Fault.Redirect(307, new Uri("http://127.0.0.1:1/")), Fault.ResetMidBody(200, Encoding.UTF8.GetBytes(Answer)), Fault.Respond(200, Answer[..^9]),
        ];
        foreach (FaultStep fault in faults)
        {
            await using FaultServer server = FaultServer.Start(fault);
            ResponseWrapper<LlmResponse> outcome = await SendAsync(new OpenAIProvider(Canary, server.ApiBase), Ask());

            Assert.False(outcome.IsSuccess);
            Assert.DoesNotContain(Canary, $"{outcome} {outcome.Error} {outcome.Error!.Body}", StringComparison.Ordinal);
        }

        foreach (string key in (string[])[$"{Canary}\r\nX-Evil: 1", $"{Canary} x", $"{Canary}é", $"{Canary}\0"])
        {
            var error = Assert.Throws<ArgumentException>(() => new OpenAIProvider(key));
            Assert.Equal("apiKey", error.ParamName);
            Assert.DoesNotContain("canary", error.ToString(), StringComparison.Ordinal);
        }

        var header = Assert.Throws<ArgumentException>(() => new OpenAIProvider("k", headers: new Dictionary<string, string> { ["api-key"] = Canary + "\n" }));
        Assert.Contains("api-key", header.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", header.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-A", "a\r\nX-B: b")]
    [InlineData("X-A", "a\nb")]
    [InlineData("X-A", "a\0")]
    [InlineData("X-A", "é")]
    [InlineData("X-A", null)]
    [InlineData("X A", "a")]
    [InlineData("X-A:", "a")]
    [InlineData("X-A\r\n", "a")]
    [InlineData("", "a")]
    public void Headers_Invalid_Throw(string name, string? value)
    {
        Assert.Equal("headers", Assert.Throws<ArgumentException>(() => new OpenAIProvider("k", headers: new Dictionary<string, string> { [name] = value! })).ParamName);
        Assert.Throws<ArgumentException>(() => new OpenAIProvider("k", organization: "a\nb"));
    }

    [Fact]
    public async Task Headers_Rotated_AreCheckedAtEverySend()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Answer));
        var provider = new Rotating(server.ApiBase);
        await using RequestManager manager = Manager(provider);
        await manager.ProcessBatchAsync([Ask("1")], Cancel);
        provider.Token = "second";
        await manager.ProcessBatchAsync([Ask("2")], Cancel);
        provider.Token = "bad\r\nX-Evil: 1";
        ResponseWrapper<LlmResponse> refused = (await manager.ProcessBatchAsync([Ask("3")], Cancel))[0];

        Assert.Equal(["first", "second"], server.Requests.Select(r => r.Header("x-token")));
        Assert.Equal(FailureKind.Provider, refused.Error!.Kind);
        Assert.DoesNotContain("Evil", refused.Error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("o3")]
    [InlineData("o4-mini")]
    [InlineData("gpt-5")]
    [InlineData("gpt-5-mini")]
    [InlineData("openai/o3")]
    public async Task DefaultTemperature_ModelRefusesIt_IsNotSent(string model)
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Answer));
        LlmRequest request = Ask(model: model);
        ResponseWrapper<LlmResponse> outcome = await SendAsync(new OpenAIProvider(Canary, server.ApiBase), request);

        Assert.Equal($$"""{"messages":[{"content":"hi","role":"user"}],"model":"{{model}}"}""", server.Requests[0].Text);
        Assert.Equal(request.Key.ToString(), outcome.RequestId);
        Assert.Contains("\"temperature\":0.7", Encoding.UTF8.GetString(request.Body.Span), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-4o")]
    [InlineData("o3x")]
    [InlineData("gpt-5-chat-latest")]
    [InlineData("olmo")]
    public async Task DefaultTemperature_OtherModels_IsSent(string model)
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Answer));
        await SendAsync(new OpenAIProvider(Canary, server.ApiBase), Ask(model: model));

        Assert.Contains("\"temperature\":0.7", server.Requests[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DefaultTemperature_Refused_IsLearned()
    {
        await using FaultServer server = FaultServer.Start((request, connection) =>
            request.Text.Contains("\"odd\"", StringComparison.Ordinal) && request.Text.Contains("temperature", StringComparison.Ordinal)
                ? connection.RespondAsync(400, Encoding.UTF8.GetBytes(NoTemperature))
                : connection.RespondAsync(200, Encoding.UTF8.GetBytes(Answer)));
        await using var manager = new RequestManager(new OpenAIProvider(Canary, server.ApiBase), new RequestManagerOptions { RetryAttempts = 1, ShowProgress = false });

        ResponseWrapper<LlmResponse> first = (await manager.ProcessBatchAsync([Ask("a", "odd")], Cancel))[0];
        Assert.Equal((true, 2, 2), (first.IsSuccess, first.Attempts, server.Requests.Count));

        ResponseWrapper<LlmResponse> second = (await manager.ProcessBatchAsync([Ask("b", "odd")], Cancel))[0];
        Assert.Equal((true, 1, 3), (second.IsSuccess, second.Attempts, server.Requests.Count));

        await manager.ProcessBatchAsync([Ask("c", "other")], Cancel);
        Assert.Contains("temperature", server.Requests[3].Text, StringComparison.Ordinal);
        Assert.Equal(1, manager.Stats.Retried);
    }

    [Fact]
    public async Task SetTemperature_IsAlwaysSent()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(400, NoTemperature));
        await using RequestManager manager = Manager(new OpenAIProvider(Canary, server.ApiBase));
        LlmRequest[] chosen =
        [
            Ask("1", "odd") with { Temperature = 0.7 },
            Ask("2", "o3") with { Temperature = 1 },
            LlmRequest.FromJson("""{"model":"o3","messages":[{"role":"user","content":"3"}],"temperature":0.7}"""),
        ];
        foreach (LlmRequest request in chosen)
        {
            ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([request], Cancel))[0];
            Assert.Equal((FailureKind.InvalidRequest, 1), (outcome.Error!.Kind, outcome.Attempts));
        }

        Assert.Equal(3, server.Requests.Count);
        Assert.All(server.Requests, seen => Assert.Contains("\"temperature\":", seen.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Stream_UnsupportedEndpoint_IsRefusedBeforeTheSend()
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Answer));
        ResponseWrapper<LlmResponse> outcome = await SendAsync(new OpenAIProvider(Canary, server.ApiBase), new LlmRequest { Model = "e", Input = "x", Stream = true });

        Assert.Equal(FailureKind.NotSupported, outcome.Error!.Kind);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task MakeRequestAsync_OwnClient_ReturnsOrThrows()
    {
        await using FaultServer server = FaultServer.Start([Fault.Respond(200, Answer)], Fault.Respond(429, "{}", ("retry-after", "7")));
        using var client = new HttpClient();
        var provider = new OpenAIProvider(Canary, server.ApiBase);

        Assert.Equal("ok", ((ChatCompletion)await provider.MakeRequestAsync(client, Ask(), TimeSpan.FromMinutes(1), Cancel)).Text);
        var failure = await Assert.ThrowsAsync<LlmException>(() => provider.MakeRequestAsync(client, Ask(), Timeout.InfiniteTimeSpan, Cancel));
        Assert.Equal((FailureKind.RateLimited, TimeSpan.FromSeconds(7)), (failure.Kind, failure.RetryAfter));
    }

    [Theory]
    [InlineData("https://api.openai.com/v1", "https://api.openai.com/v1")]
    [InlineData(" HTTPS://API.OpenAI.com:443/v1/// ", "https://api.openai.com/v1")]
    [InlineData("http://127.0.0.1:8000", "http://127.0.0.1:8000")]
    [InlineData("http://[::1]:80/V1", "http://[::1]/V1")]
    public void CacheScope_IsTheNormalisedBaseUrl(string apiBase, string scope)
    {
        Assert.Equal(scope, new OpenAIProvider(Canary, apiBase).CacheScope);
        Assert.Equal(scope + " org", new OpenAIProvider(Canary, apiBase, "org").CacheScope);
    }

    [Theory]
    [InlineData("")]
    [InlineData("api.openai.com/v1")]
    [InlineData("/v1")]
    [InlineData("ftp://x/v1")]
    [InlineData("file:///v1")]
    [InlineData("https://user:pass@x/v1")]
    [InlineData("https://x/v1?api-key=1")]
    [InlineData("https://x/v1#a")]
    public void BaseUrl_Invalid_Throws(string apiBase)
    {
        Assert.Equal("apiBase", Assert.Throws<ArgumentException>(() => new OpenAIProvider("k", apiBase)).ParamName);
    }

    private static LlmRequest Ask(string prompt = "hi", string model = "m") => LlmRequest.FromPrompt(null, prompt, model);

    private static RequestManager Manager(Provider<LlmResponse> provider) =>
        new(provider, new RequestManagerOptions { RetryAttempts = 1, RetryDelay = TimeSpan.Zero, ShowProgress = false });

    private static async Task<ResponseWrapper<LlmResponse>> SendAsync(Provider<LlmResponse> provider, LlmRequest request)
    {
        await using RequestManager manager = Manager(provider);
        return Assert.Single(await manager.ProcessBatchAsync([request], Cancel));
    }

    private sealed class Rotating(string apiBase) : OpenAIProvider("", apiBase)
    {
        public string Token { get; set; } = "first";

        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string> { ["x-token"] = Token };
    }

    private sealed class RecordingHandler : HttpMessageHandler
    {
        public int Sends { get; private set; }

        public bool Disposed { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sends++;
            return Task.FromResult(new HttpResponseMessage { Content = new StringContent(Answer) });
        }

        protected override void Dispose(bool disposing)
        {
            Disposed = true;
            base.Dispose(disposing);
        }
    }
}
