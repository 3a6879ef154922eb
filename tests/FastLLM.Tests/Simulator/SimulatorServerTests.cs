using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Simulators;

public sealed class SimulatorServerTests : IDisposable
{
    private const string Chat = "/v1/chat/completions";
    private const string Hello = """{"model":"m","messages":[{"role":"system","content":"be"},{"role":"user","content":"Hello"}]}""";

    private const string Parts =
        """{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"one "},"""
        + """{"type":"image_url","image_url":{"url":"x","text":"no"}},{"type":"text","text":"two"}]}]}""";

    private readonly HttpClient _client = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Chat_RepeatsTheLastUserMessage_InOpenAIsShape()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage response = await PostAsync(server, Chat, Hello);
        byte[] bytes = await response.Content.ReadAsByteArrayAsync(Cancel);
        JsonElement root = JsonDocument.Parse(bytes).RootElement;
        JsonElement choice = Assert.Single(root.GetProperty("choices").EnumerateArray());

        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith("req_", Assert.Single(response.Headers.GetValues("x-request-id")), StringComparison.Ordinal);
        Assert.Equal("chat.completion", root.GetProperty("object").GetString());
        Assert.Equal("m", root.GetProperty("model").GetString());
        Assert.Equal($"chatcmpl-{SimulatorAnswers.Hash(Encoding.UTF8.GetBytes(Hello)):x32}", root.GetProperty("id").GetString());
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(JsonValueKind.Null, choice.GetProperty("message").GetProperty("refusal").ValueKind);
        Assert.Matches("^Answer [0-9a-f]{8}: Hello$", choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(2, root.GetProperty("usage").GetProperty("prompt_tokens").GetInt64()); // 7 bytes
        Assert.Equal(6, root.GetProperty("usage").GetProperty("completion_tokens").GetInt64()); // 22 bytes
        Assert.Equal(8, root.GetProperty("usage").GetProperty("total_tokens").GetInt64());
        Assert.Equal(SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(Hello)), bytes);
        Assert.StartsWith("{\n  \"id\": \"chatcmpl-", Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Compact_SendsTheSameJson_WithoutWhiteSpace()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { Compact = true }, Cancel);
        using HttpResponseMessage response = await PostAsync(server, Chat, Hello);
        string compact = await response.Content.ReadAsStringAsync(Cancel);

        JsonElement pretty = JsonDocument.Parse(SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(Hello))).RootElement;
        Assert.Equal(JsonSerializer.Serialize(pretty), compact);
    }

    [Theory]
    [InlineData("""{"messages":[{"content":"a\"\\\u00e9\ud83d\ude00","role":"user"}],"model":"m"}""", "a\"\\é😀")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"lone \ud83d!"}]}""", "lone \uFFFD!")]
    [InlineData(Parts, "one two")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":null}]}""", "q")]
    [InlineData("""{"model":"m","messages":[{"role":"system","content":"s"}]}""", "")]
    public void ChatText_HoldsTheWholeText(string body, string text) =>
        Assert.Equal(text, SimulatorAnswers.ChatText(Encoding.UTF8.GetBytes(body))["Answer 01234567: ".Length..]);

    [Fact]
    public async Task Chat_AtTheTokenLimit_CutsNoCharacter()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage response = await PostAsync(
            server, Chat, """{"model":"m","messages":[{"role":"user","content":"ab😀😀"}],"max_completion_tokens":5,"n":2}""");
        JsonElement root = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);

        JsonElement[] choices = [.. root.GetProperty("choices").EnumerateArray()];
        string?[] texts = [.. choices.Select(c => c.GetProperty("message").GetProperty("content").GetString())];
        Assert.All(texts, t => Assert.EndsWith(": ab", t, StringComparison.Ordinal));
        Assert.NotEqual(texts[0], texts[1]);
        Assert.All(choices, c => Assert.Equal("length", c.GetProperty("finish_reason").GetString()));
        Assert.Equal(10, root.GetProperty("usage").GetProperty("completion_tokens").GetInt64());
    }

    [Theory]
    [InlineData("{", null, null)]
    [InlineData("[]", null, null)]
    [InlineData("", null, null)]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]} 1""", null, null)]
    [InlineData("""{"messages":[]}""", "model", "missing_required_parameter")]
    [InlineData("""{"model":"m"}""", "messages", "missing_required_parameter")]
    [InlineData("""{"model":"m","messages":[]}""", "messages", "invalid_value")]
    [InlineData("""{"model":"m","messages":[1]}""", "messages", "invalid_value")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"n":{"a":[1]}}""", "n", "invalid_value")]
    public async Task Chat_BadRequest_GetsOpenAIsError(string body, string? param, string? code)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage response = await PostAsync(server, Chat, body);
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error");

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal(1, server.Stats.Count(Chat, 400));
    }

    [Fact]
    public async Task Chat_InvalidUtf8_IsRefused()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        byte[] body = [.. """{"model":"m","messages":[{"role":"user","content":" """u8, 0xFF, .. "\"}]}"u8];
        using HttpResponseMessage response = await _client.PostAsync(
            new Uri(server.ApiBase + "/chat/completions"), new ByteArrayContent(body), Cancel);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Theory]
    [InlineData("GET", "/v1/chat/completions", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/v1/models", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/v1/\"nowhere\"", HttpStatusCode.NotFound)]
    public async Task Request_UnknownPathOrMethod_GetsAJsonError(string method, string path, HttpStatusCode status)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(server.BaseUrl, path));
        using HttpResponseMessage response = await _client.SendAsync(request, Cancel);
        JsonElement root = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal("invalid_request_error", root.GetProperty("error").GetProperty("type").GetString());
    }

    [Fact]
    public async Task Models_AreListed()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        JsonElement root = await _client.GetFromJsonAsync<JsonElement>(new Uri(server.ApiBase + "/models"), Cancel);
        Assert.Equal("list", root.GetProperty("object").GetString());
        Assert.NotEqual(0, root.GetProperty("data").GetArrayLength());
    }

    [Theory]
    [InlineData("""["one","tw\u006f"]""", 2)]
    [InlineData("\"one\"", 1)]
    [InlineData("[1,2,3]", 1)]
    [InlineData("[[1,2],[3]]", 2)]
    public async Task Embeddings_AsFloatsAndBase64_AreTheSameUnitVectors(string input, int count)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage floats = await PostAsync(
            server, "/v1/embeddings", $$"""{"model":"e","input":{{input}},"dimensions":5}""");
        using HttpResponseMessage base64 = await PostAsync(
            server, "/v1/embeddings", $$"""{"model":"e","input":{{input}},"dimensions":5,"encoding_format":"base64"}""");
        JsonElement[] asFloats = [.. (await floats.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("data").EnumerateArray()];
        JsonElement[] asBase64 = [.. (await base64.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("data").EnumerateArray()];

        Assert.Equal(count, asFloats.Length);
        for (int i = 0; i < count; i++)
        {
            float[] vector = [.. asFloats[i].GetProperty("embedding").EnumerateArray().Select(e => e.GetSingle())];
            Assert.Equal(vector, MemoryMarshal.Cast<byte, float>(asBase64[i].GetProperty("embedding").GetBytesFromBase64()).ToArray());
            Assert.Equal(1, vector.Sum(x => (double)x * x), 1e-6);
            Assert.Equal(i, asFloats[i].GetProperty("index").GetInt32());
            if (input.Contains('"', StringComparison.Ordinal))
            {
                Assert.Equal(SimulatorAnswers.Embedding(i == 0 ? "one" : "two", 5), vector);
            }
        }
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("[[]]")]
    [InlineData("[\"a\",1]")]
    [InlineData("[1,\"a\"]")]
    [InlineData("{}")]
    public async Task Embeddings_OddInput_IsRefused(string input)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage response = await PostAsync(server, "/v1/embeddings", $$"""{"model":"e","input":{{input}}}""");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task FailFirst_FailsThatManySends_ThenAnswers()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(
            new SimulatorOptions { FailFirst = 2, ErrorStatus = 429 }, Cancel);
        var statuses = new List<int>();
        for (int i = 0; i < 4; i++)
        {
            using HttpResponseMessage response = await PostAsync(server, Chat, Hello);
            statuses.Add((int)response.StatusCode);
        }

        Assert.Equal([429, 429, 200, 200], statuses);
    }

    [Fact]
    public async Task ErrorRate_HitsTheComputedSends()
    {
        var options = new SimulatorOptions { ErrorRate = 0.4, Seed = 7 };
        await using SimulatorServer server = await SimulatorServer.StartAsync(options, Cancel);
        for (int send = 1; send <= 20; send++)
        {
            using HttpResponseMessage response = await PostAsync(server, Chat, Hello);
            bool hits = SimulatorErrors.Hits(options, Encoding.UTF8.GetBytes(Hello), send);
            Assert.Equal(hits ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK, response.StatusCode);
        }
    }

    [Fact]
    public void ErrorRate_IsTheShareOfSendsHit()
    {
        var options = new SimulatorOptions { ErrorRate = 0.3 };
        int hits = Enumerable.Range(0, 10_000).Count(i => SimulatorErrors.Hits(options, BitConverter.GetBytes(i), 1 + (i % 3)));
        Assert.InRange(hits, 2_800, 3_200);
    }

    [Fact]
    public void Latency_WithSigma_IsLognormal()
    {
        var options = new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200), LatencySigma = 1 };
        double[] logs =
        [
            .. Enumerable.Range(0, 10_000).Select(i => Math.Log(SimulatorLatency.Of(options, BitConverter.GetBytes(i)) / options.Latency)),
        ];
        Assert.Equal(0, logs.Average(), 0.05);
        Assert.Equal(1, Math.Sqrt(logs.Average(x => x * x)), 0.05);

        TimeSpan once = SimulatorLatency.Of(options, "a"u8);
        Assert.Equal(once, SimulatorLatency.Of(options, "a"u8));
        options.Seed = 1;
        Assert.NotEqual(once, SimulatorLatency.Of(options, "a"u8));
        options.LatencySigma = 0;
        Assert.Equal(options.Latency, SimulatorLatency.Of(options, "a"u8));
    }

    [Fact]
    public async Task Stats_CountSendsBodiesAndStatuses()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        for (int i = 0; i < 6; i++)
        {
            using HttpResponseMessage response = await PostAsync(
                server, Chat, Hello.Replace("Hello", $"Hello {i % 3}", StringComparison.Ordinal));
        }

        using HttpResponseMessage bad = await PostAsync(server, Chat, "{");
        SimulatorStats stats = server.Stats;
        Assert.Equal((6, 1), (stats.Count(Chat, 200), stats.Count(Chat, 400)));
        Assert.Equal((7, 4, 6), (stats.Sends, stats.DistinctBodies, stats.BodiesSent));
        Assert.Equal((0, 1), (stats.InFlight, stats.PeakInFlight));

        JsonElement told = await _client.GetFromJsonAsync<JsonElement>(new Uri(server.BaseUrl, "/simulator/stats"), Cancel);
        Assert.Equal(6, told.GetProperty("requests").GetProperty(Chat).GetProperty("200").GetInt64());
        Assert.Equal(4, told.GetProperty("distinct_bodies").GetInt64());

        server.ResetStats();
        Assert.Equal((0, 0, 0), (server.Stats.Sends, server.Stats.DistinctBodies, server.Stats.BodiesSent));
        Assert.Empty(server.Stats.Requests);
    }

    [Fact]
    public async Task BigBodies_AreAnsweredWhole()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        string text = new('x', 3_000_000);
        using HttpResponseMessage response = await PostAsync(server, Chat, Hello.Replace("Hello", text, StringComparison.Ordinal));
        JsonElement root = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);
        string? content = root.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
        Assert.EndsWith(": " + text, content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_WhileASendWaits_AbortsIt()
    {
        var time = new ManualTimeProvider();
        var options = new SimulatorOptions { Latency = TimeSpan.FromHours(1), TimeProvider = time };
        SimulatorServer server = await SimulatorServer.StartAsync(options, Cancel);
        Task<HttpResponseMessage> waiting = PostAsync(server, Chat, Hello);
        await time.WaitForTimersAsync(1, Cancel);
        await server.DisposeAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => waiting);
        Assert.Equal(1, server.Stats.Count(Chat, 499));
        await server.DisposeAsync();
    }

    [Fact]
    public void Options_OutOfRange_Throw()
    {
        var options = new SimulatorOptions();
        Assert.Throws<ArgumentOutOfRangeException>(() => options.Port = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.Latency = TimeSpan.FromTicks(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => options.LatencySigma = double.NaN);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.ErrorRate = 1.1);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.ErrorStatus = 200);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.FailFirst = -1);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.EmbeddingDimensions = 0);
        Assert.Throws<ArgumentNullException>(() => options.TimeProvider = null!);
    }

    private async Task<HttpResponseMessage> PostAsync(SimulatorServer server, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _client.PostAsync(new Uri(server.BaseUrl, path), content, Cancel);
    }
}
