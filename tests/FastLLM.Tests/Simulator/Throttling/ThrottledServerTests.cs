using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Simulators.Throttling;

public sealed class ThrottledServerTests : IDisposable
{
    private const string Chat = "/v1/chat/completions";
    private const string Hello = """{"model":"m","messages":[{"role":"user","content":"Hello"}]}""";
    private const string Streamed = """{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]}""";

    private readonly HttpClient _client = new();
    private readonly ManualTimeProvider _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Refusal_HasOpenAIsErrorAndTheTimeToWait()
    {
        await using SimulatorServer server = await StartAsync("window:1/10s");
        _time.Advance(TimeSpan.FromMilliseconds(2_300));
        using HttpResponseMessage admitted = await PostAsync(server, Hello);
        using HttpResponseMessage refused = await PostAsync(server, Hello);
        JsonElement error = (await refused.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.TooManyRequests), (admitted.StatusCode, refused.StatusCode));
        Assert.Equal(("8", "7700"), (Header(refused, "retry-after"), Header(refused, "retry-after-ms")));
        Assert.Equal(("requests", "rate_limit_exceeded"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.Contains("window:1/10s", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(refused.Headers, header => header.Key.StartsWith("x-ratelimit-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Refusal_ByALawThatKnowsNoTime_HasNoRetryAfter()
    {
        await using SimulatorServer server = await StartAsync("random:100%");
        using HttpResponseMessage refused = await PostAsync(server, Hello);
        Assert.Equal(429, (int)refused.StatusCode);
        Assert.DoesNotContain(refused.Headers, header => header.Key.StartsWith("retry-after", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Stats_CountRefusalsByLaw()
    {
        await using SimulatorServer server = await StartAsync("window:2/10s", "bucket:1/s,burst:1");
        int[] statuses = [await StatusAsync(server), await StatusAsync(server), await StatusAsync(server)];
        _time.Advance(TimeSpan.FromSeconds(1));
        statuses = [.. statuses, await StatusAsync(server), await StatusAsync(server)];

        Assert.Equal([200, 429, 429, 200, 429], statuses);
        JsonElement stats = await _client.GetFromJsonAsync<JsonElement>(new Uri(server.BaseUrl, "/simulator/stats"), Cancel);
        Assert.Equal(1, stats.GetProperty("throttled").GetProperty("window:2/10s").GetInt64());
        Assert.Equal(2, stats.GetProperty("throttled").GetProperty("bucket:1/s,burst:1").GetInt64());
        Assert.Equal((5, 2, 3), (server.Stats.Sends, server.Stats.BodiesSent, server.Stats.Rejected));
        Assert.Equal(2, server.Stats.Throttled[ThrottleLaw.Parse("bucket:1/s,burst:1")]);

        server.ResetStats();
        Assert.Empty(server.Stats.Throttled);
    }

    [Theory]
    [InlineData(Hello)]
    [InlineData(Streamed)]
    public async Task Concurrency_WhenAnAnswerHasCome_AdmitsTheNext(string body)
    {
        await using SimulatorServer server = await StartAsync("concurrency:1");
        for (int i = 0; i < 50; i++)
        {
            Assert.Equal(200, await StatusAsync(server, body));
        }
    }

    [Fact]
    public async Task Concurrency_WhileOneIsAnswered_RefusesAnother()
    {
        var options = new SimulatorOptions { Latency = TimeSpan.FromSeconds(1), ThrottleLaws = [ThrottleLaw.Concurrency(1)] };
        await using SimulatorServer server = await StartAsync(options);
        Task<int> first = StatusAsync(server);
        await _time.WaitForTimersAsync(1, Cancel);
        Assert.Equal(429, await StatusAsync(server, Streamed));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(200, await first);
    }

    [Fact]
    public async Task Laws_ComeBeforeQuotaLimitsAndFaults()
    {
        var options = new SimulatorOptions
        {
            ThrottleLaws = [ThrottleLaw.Window(1, TimeSpan.FromSeconds(1))],
            QuotaAfter = 2,
            RequestsPerMinute = 120,
            FailFirst = 1,
        };
        await using SimulatorServer server = await StartAsync(options);
        Assert.Equal((503, 429), (await StatusAsync(server), await StatusAsync(server)));

        // Neither the quota nor the limit has counted the refused send.
        _time.Advance(TimeSpan.FromSeconds(1));
        using HttpResponseMessage admitted = await PostAsync(server, Hello);
        Assert.Equal(("200", "1"), ($"{(int)admitted.StatusCode}", Header(admitted, "x-ratelimit-remaining-requests")));
    }

    [Fact]
    public async Task Change_InMidRun_TakesEffect()
    {
        var options = new SimulatorOptions
        {
            ThrottleChanges = [ThrottleChange.Parse("20s=random:100%"), ThrottleChange.Parse("25s=none")],
        };
        await using SimulatorServer server = await StartAsync(options);
        int before = await StatusAsync(server);
        _time.Advance(TimeSpan.FromSeconds(20));
        int during = await StatusAsync(server);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((200, 429, 200), (before, during, await StatusAsync(server)));
    }

    private static string Header(HttpResponseMessage response, string name) => Assert.Single(response.Headers.GetValues(name));

    private Task<SimulatorServer> StartAsync(params string[] laws) =>
        StartAsync(new SimulatorOptions { ThrottleLaws = [.. laws.Select(ThrottleLaw.Parse)] });

    private Task<SimulatorServer> StartAsync(SimulatorOptions options)
    {
        options.TimeProvider = _time;
        return SimulatorServer.StartAsync(options, Cancel);
    }

    private async Task<int> StatusAsync(SimulatorServer server, string body = Hello)
    {
        using HttpResponseMessage response = await PostAsync(server, body);
        return (int)response.StatusCode;
    }

    private async Task<HttpResponseMessage> PostAsync(SimulatorServer server, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _client.PostAsync(new Uri(server.BaseUrl, Chat), content, Cancel);
    }
}
