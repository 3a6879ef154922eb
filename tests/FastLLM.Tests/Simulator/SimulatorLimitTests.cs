using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Simulators;

public sealed class SimulatorLimitTests : IDisposable
{
    private const string Chat = "/v1/chat/completions";
    private const string Hello = """{"model":"m\u00e9","messages":[{"role":"user","content":"Hello"}]}"""; // 2 tokens in, 6 out

    // 2 tokens in, 98 allowed
    private const string Capped = """{"model":"m","messages":[{"role":"user","content":"Hello"}],"max_tokens":49,"n":2}""";

    private readonly HttpClient _client = new();
    private readonly ManualTimeProvider _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task RequestsPerMinute_Exceeded_AnswersWithRetryAfter()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { RequestsPerMinute = 120 });
        using HttpResponseMessage first = await PostAsync(server, Hello);
        using HttpResponseMessage second = await PostAsync(server, Hello);
        using HttpResponseMessage third = await PostAsync(server, Hello);

        Assert.Equal([200, 200, 429], [(int)first.StatusCode, (int)second.StatusCode, (int)third.StatusCode]);
        Assert.Equal("120 1 500ms", RateHeaders(first, "requests"));
        Assert.Equal("120 0 1s", RateHeaders(second, "requests"));
        Assert.Equal("120 0 1s", RateHeaders(third, "requests"));
        Assert.False(first.Headers.Contains("retry-after"));
        Assert.False(first.Headers.Contains("x-ratelimit-limit-tokens"));
        Assert.Equal(("1", "500"), (Header(third, "retry-after"), Header(third, "retry-after-ms")));
        JsonElement error = (await third.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error");
        Assert.StartsWith(
            "Rate limit reached for mé in organization org-simulator on requests per min (RPM): "
            + "Limit 120, Used 120, Requested 1. Please try again in 500ms.",
            error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(("requests", "rate_limit_exceeded"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));

        _time.Advance(TimeSpan.FromMilliseconds(499));
        Assert.Equal(429, await StatusAsync(server, Hello));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(200, await StatusAsync(server, Hello));
        Assert.Equal(429, await StatusAsync(server, Hello));
        Assert.Equal(3, server.Stats.Rejected);
        Assert.Equal(3, server.Stats.BodiesSent);
    }

    [Fact]
    public async Task RetryAfter_WhenObeyed_IsEnough()
    {
        await using SimulatorServer server = await StartAsync(
            new SimulatorOptions { RequestsPerMinute = 7, TokensPerMinute = 97, Latency = TimeSpan.Zero });
        for (int i = 0; i < 40; i++)
        {
            using HttpResponseMessage response = await PostAsync(server, Hello);
            Assert.Equal(i % 2 == 0 ? 200 : 429, (int)response.StatusCode);
            if (i % 2 == 1)
            {
                int milliseconds = int.Parse(Header(response, "retry-after-ms"), System.Globalization.CultureInfo.InvariantCulture);
                _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
            }
        }

        Assert.Equal(19 * 60.0 / 7, _time.Elapsed.TotalSeconds - (60.0 / 7), 0.1); // no faster than the limit
    }

    [Fact]
    public async Task TokensPerMinute_CountsPromptAndAllowedOutput()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { TokensPerMinute = 12_000 }); // 200 at once
        using HttpResponseMessage capped = await PostAsync(server, Capped);
        using HttpResponseMessage free = await PostAsync(server, Hello);
        using HttpResponseMessage embedded = await PostAsync(server, """{"model":"e","input":["12345678","1"]}""", "/v1/embeddings");
        using HttpResponseMessage refused = await PostAsync(server, Capped);

        Assert.Equal("12000 100 500ms", RateHeaders(capped, "tokens"));
        Assert.Equal("12000 92 540ms", RateHeaders(free, "tokens"));
        Assert.Equal("12000 89 555ms", RateHeaders(embedded, "tokens"));
        Assert.Equal("12000 89 555ms", RateHeaders(refused, "tokens"));
        JsonElement error = (await refused.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error");
        Assert.Contains(
            "on tokens per min (TPM): Limit 12000, Used 11911, Requested 100. Please try again in 55ms.",
            error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("tokens", error.GetProperty("type").GetString());
    }

    [Fact]
    public async Task BurstSeconds_OfAMinute_AdmitsTheWholeLimit()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { RequestsPerMinute = 3, BurstSeconds = 60 });
        using HttpResponseMessage first = await PostAsync(server, Hello);
        Assert.Equal("3 2 20s", RateHeaders(first, "requests"));
        Assert.Equal(
            (200, 200, 429), (await StatusAsync(server, Hello), await StatusAsync(server, Hello), await StatusAsync(server, Hello)));
        using HttpResponseMessage last = await PostAsync(server, Hello);
        Assert.Equal("3 0 1m0s", RateHeaders(last, "requests"));
    }

    [Fact]
    public async Task TokensPerMinute_MoreThanTheBurst_LeavesADebt()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { TokensPerMinute = 600 }); // 10 at once
        Assert.Equal(200, await StatusAsync(server, Capped));
        using HttpResponseMessage refused = await PostAsync(server, Capped);
        Assert.Equal(("10", "10000"), (Header(refused, "retry-after"), Header(refused, "retry-after-ms"))); // 100 tokens at 10 a second
        Assert.Equal("600 0 10s", RateHeaders(refused, "tokens"));
    }

    [Fact]
    public async Task TokensPerMinute_MoreThanTheLimit_IsRefused()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { TokensPerMinute = 99, RequestsPerMinute = 60 });
        using HttpResponseMessage response = await PostAsync(server, Capped);
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error");

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.StartsWith(
            "Request too large for m in organization org-simulator on tokens per min (TPM): Limit 99, Requested 100.",
            error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("retry-after"));
        Assert.Equal("60 1 0s", RateHeaders(response, "requests"));
    }

    [Fact]
    public async Task Limits_ForABadRequest_CountNothing()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { RequestsPerMinute = 60, TokensPerMinute = 6000 });
        using HttpResponseMessage response = await PostAsync(server, "{");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(("60 1 0s", "6000 100 0s"), (RateHeaders(response, "requests"), RateHeaders(response, "tokens")));
    }

    [Fact]
    public async Task TokensPerMinute_OfBillions_DoesNotOverflow()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { TokensPerMinute = long.MaxValue });
        Assert.Equal(
            200, await StatusAsync(server, Hello.Replace("]}", $$"""],"max_tokens":{{long.MaxValue}},"n":3}""", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task QuotaAfter_UsedUp_RefusesAll()
    {
        await using SimulatorServer server = await StartAsync(
            new SimulatorOptions { QuotaAfter = 2, FailFirst = 1, RequestsPerMinute = 600_000 });
        Assert.Equal((503, 400), (await StatusAsync(server, Hello), await StatusAsync(server, "{")));
        Assert.Equal((200, 200), (await StatusAsync(server, Hello), await StatusAsync(server, Hello)));
        using HttpResponseMessage response = await PostAsync(server, Hello);
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error");

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal(
            ("insufficient_quota", "insufficient_quota"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.StartsWith(
            "You exceeded your current quota, please check your plan and billing details.",
            error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("retry-after"));
        Assert.Equal(429, await StatusAsync(server, "{"));
        Assert.Equal((2, 2), (server.Stats.Rejected, server.Stats.BodiesSent));
    }

    [Fact]
    public async Task QuotaAfter_WhenTheClientLeaves_GivesBack()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { QuotaAfter = 1, Latency = TimeSpan.FromSeconds(1) });
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel))
        {
            Task<HttpResponseMessage> left = PostAsync(server, Hello, cancel: leaving.Token);
            await _time.WaitForTimersAsync(1, Cancel);
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        }

        await server.UntilAsync(stats => stats.Count(Chat, 499) == 1, Cancel);
        Task<int> answered = StatusAsync(server, Hello);
        await _time.WaitForTimersAsync(1, Cancel);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(200, await answered);
    }

    [Fact]
    public async Task TokensPerSecond_AddsTheTimeOfTheOutput()
    {
        var options = new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200), TokensPerSecond = 12 };
        await using SimulatorServer server = await StartAsync(options);
        Assert.Equal(TimeSpan.FromMilliseconds(500), SimulatorLatency.OfOutput(options, 6));
        Task<HttpResponseMessage> waiting = PostAsync(server, Hello);
        await _time.WaitForTimersAsync(1, Cancel);
        Assert.Equal(700, Math.Round(_time.NextDue!.Value.TotalMilliseconds));

        _time.AdvanceToNext();
        using HttpResponseMessage response = await waiting;
        Assert.Equal("700", Header(response, "openai-processing-ms"));
        Assert.Equal(SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(Hello)), await response.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Fact]
    public void Options_OutOfRange_Throw()
    {
        var options = new SimulatorOptions();
        Assert.Throws<ArgumentOutOfRangeException>(() => options.RequestsPerMinute = 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.TokensPerMinute = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.BurstSeconds = 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.BurstSeconds = 61);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.TokensPerSecond = 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.TokensPerSecond = double.PositiveInfinity);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.QuotaAfter = -1);
        options.RequestsPerMinute = options.TokensPerMinute = options.QuotaAfter = null;
        options.TokensPerSecond = null;
    }

    private static string Header(HttpResponseMessage response, string name) => Assert.Single(response.Headers.GetValues(name));

    private static string RateHeaders(HttpResponseMessage response, string axis) =>
        string.Join(' ', new[] { "limit", "remaining", "reset" }.Select(what => Header(response, $"x-ratelimit-{what}-{axis}")));

    private Task<SimulatorServer> StartAsync(SimulatorOptions options)
    {
        options.TimeProvider = _time;
        return SimulatorServer.StartAsync(options, Cancel);
    }

    private async Task<int> StatusAsync(SimulatorServer server, string body)
    {
        using HttpResponseMessage response = await PostAsync(server, body);
        return (int)response.StatusCode;
    }

    private async Task<HttpResponseMessage> PostAsync(
        SimulatorServer server, string body, string path = Chat, CancellationToken? cancel = null)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _client.PostAsync(new Uri(server.BaseUrl, path), content, cancel ?? Cancel);
    }
}
