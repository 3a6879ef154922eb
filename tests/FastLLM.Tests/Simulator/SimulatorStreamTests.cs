using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Simulators;

public sealed class SimulatorStreamTests : IDisposable
{
    private const string IncludeUsage = ""","stream_options":{"include_usage":true}""";
    private const string Chat = "/v1/chat/completions";

    private readonly HttpClient _client = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData("Hello, how are you today?", "")]
    [InlineData("", "")]
    [InlineData("a\\\"\\\\\\u00e9\\ud83d\\ude00 and \\ud83d\\ude00😀\\n", ",\"n\":3")]
    [InlineData("cut short, the rest of this is not answered", ",\"max_tokens\":7,\"n\":2")]
    [InlineData("cut in the head", ",\"max_tokens\":1")]
    public async Task Chunks_AddUpToThePlainAnswer(string prompt, string members)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        string messages = $$"""[{"role":"user","content":"{{prompt}}"}]""";
        string body = $$$"""{"model":"m","messages":{{{messages}}},"stream":true{{{IncludeUsage}}}{{{members}}}}""";
        using HttpResponseMessage response = await PostAsync(server, body);
        JsonElement[] chunks = Chunks(await response.Content.ReadAsStringAsync(Cancel));
        using HttpResponseMessage plain = await PostAsync(
            server, body.Replace("\"stream\":true", "\"stream\":false", StringComparison.Ordinal));
        JsonElement whole = await plain.Content.ReadFromJsonAsync<JsonElement>(Cancel);

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.True(response.Headers.TransferEncodingChunked);
        Assert.All(chunks, c => Assert.Equal("chat.completion.chunk", c.GetProperty("object").GetString()));
        string id = $"chatcmpl-{SimulatorAnswers.Hash(Encoding.UTF8.GetBytes(body)):x32}";
        Assert.All(chunks, c => Assert.Equal(id, c.GetProperty("id").GetString()));
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(JsonSerializer.Serialize(whole.GetProperty("usage")), JsonSerializer.Serialize(chunks[^1].GetProperty("usage")));
        Assert.All(chunks[..^1], c => Assert.Equal(JsonValueKind.Null, c.GetProperty("usage").ValueKind));

        JsonElement[] choices = [.. chunks[..^1].Select(c => Assert.Single(c.GetProperty("choices").EnumerateArray()))];
        foreach (JsonElement choice in whole.GetProperty("choices").EnumerateArray())
        {
            int index = choice.GetProperty("index").GetInt32();
            JsonElement[] own = [.. choices.Where(c => c.GetProperty("index").GetInt32() == index)];
            string[] pieces = [.. own[1..^1].Select(c => c.GetProperty("delta").GetProperty("content").GetString()!)];
            string text = string.Concat(pieces);

            Assert.Equal("assistant", own[0].GetProperty("delta").GetProperty("role").GetString());
            Assert.Empty(own[^1].GetProperty("delta").EnumerateObject());
            Assert.Equal(choice.GetProperty("finish_reason").GetString(), own[^1].GetProperty("finish_reason").GetString());
            Assert.All(own[..^1], c => Assert.Equal(JsonValueKind.Null, c.GetProperty("finish_reason").ValueKind));
            Assert.Equal(SimulatorAnswers.ChatText(Encoding.UTF8.GetBytes(body), index), text);
            Assert.All(pieces, piece => Assert.InRange(Encoding.UTF8.GetByteCount(piece), 1, 16));

            // The plain request is other bytes, so its eight digits differ; nothing else does.
            string? plainText = choice.GetProperty("message").GetProperty("content").GetString();
            Assert.Equal(plainText!.Skip("Answer 01234567".Length), text.Skip("Answer 01234567".Length));
        }

        Assert.Equal((2, 2), (server.Stats.Count(Chat, 200), server.Stats.BodiesSent));
    }

    [Fact]
    public async Task IncludeUsage_NotSet_NoChunkHasUsage()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        const string body = """{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":null}""";
        using HttpResponseMessage response = await PostAsync(server, body);
        byte[] bytes = await response.Content.ReadAsByteArrayAsync(Cancel);

        Assert.All(Chunks(Encoding.UTF8.GetString(bytes)), c => Assert.False(c.TryGetProperty("usage", out _)));
        Assert.Equal(SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(body)), bytes);
    }

    [Fact]
    public async Task TokensPerSecond_PacesTheChunks()
    {
        var time = new ManualTimeProvider();
        await using SimulatorServer server = await SimulatorServer.StartAsync(
            new SimulatorOptions { TokensPerSecond = 2, TimeProvider = time }, Cancel);
        // 31 bytes, 8 tokens, a chunk each: 4 seconds in all.
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.BaseUrl, Chat))
        {
            Content = new StringContent("""{"model":"m","messages":[{"role":"user","content":"abcdefghijklmn"}],"stream":true}"""),
        };
        using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));

        Assert.Contains("\"role\"", await NextAsync(reader), StringComparison.Ordinal);
        for (var token = 0; token < 8; token++)
        {
            Task<string> next = NextAsync(reader);
            await time.WaitForTimersAsync(1, Cancel);
            Assert.Equal(1, server.Stats.InFlight);
            Assert.False(next.IsCompleted);
            Assert.Equal(500, time.NextDue!.Value.TotalMilliseconds, 2.0);
            time.AdvanceToNext();
            string text = JsonDocument.Parse((await next)["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("delta").GetProperty("content").GetString()!;
            Assert.Equal(token switch { 0 => "Answ", 1 => "er ", 7 => "lmn", _ => text }, token == 1 ? text[..3] : text);
            Assert.InRange(text.Length, 3, 4);
        }

        Assert.Contains("\"stop\"", await NextAsync(reader), StringComparison.Ordinal);
        Assert.Equal("data: [DONE]", await NextAsync(reader));
        Assert.Equal("", await reader.ReadToEndAsync(Cancel));
        Assert.Equal((0, 1), (server.Stats.InFlight, server.Stats.BodiesSent));
        Assert.Equal(4, time.Elapsed.TotalSeconds, 0.01);
    }

    [Fact]
    public async Task Stream_WhenTheClientLeaves_CountsAs499()
    {
        var time = new ManualTimeProvider();
        await using SimulatorServer server = await SimulatorServer.StartAsync(
            new SimulatorOptions { TokensPerSecond = 1, TimeProvider = time }, Cancel);
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.BaseUrl, Chat))
        {
            Content = new StringContent("""{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}"""),
        };
        using (HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel))
        {
            await time.WaitForTimersAsync(1, Cancel);
        }

        await server.UntilAsync(stats => stats.Count(Chat, 499) == 1, Cancel);
        Assert.Equal((0, 0), (server.Stats.InFlight, server.Stats.BodiesSent));
    }

    [Fact]
    public async Task Stream_OfABigAnswer_HasLargerPieces()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        string body = $$"""{"model":"m","messages":[{"role":"user","content":"{{new string('x', 2_000_000)}}"}],"stream":true}""";
        using HttpResponseMessage response = await PostAsync(server, body);
        JsonElement[] chunks = Chunks(await response.Content.ReadAsStringAsync(Cancel));

        Assert.InRange(chunks.Length, 5_000, 10_100);
        IEnumerable<JsonElement> deltas = chunks[1..^1].Select(c => c.GetProperty("choices")[0].GetProperty("delta"));
        string text = string.Concat(deltas.Select(delta => delta.GetProperty("content").GetString()));
        Assert.Equal(SimulatorAnswers.ChatText(Encoding.UTF8.GetBytes(body)), text);
    }

    [Fact]
    public async Task Embeddings_AreNotStreamed()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage refused = await PostAsync(server, """{"model":"e","input":"a","stream":true}""", "/v1/embeddings");
        using HttpResponseMessage taken = await PostAsync(server, """{"model":"e","input":"a","stream":false}""", "/v1/embeddings");
        Assert.Equal(
            "stream", (await refused.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error").GetProperty("param").GetString());
        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.OK), (refused.StatusCode, taken.StatusCode));
    }

    private static JsonElement[] Chunks(string events)
    {
        Assert.EndsWith("\n\ndata: [DONE]\n\n", events, StringComparison.Ordinal);
        string[] lines = events.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.StartsWith("data: ", line, StringComparison.Ordinal));
        return [.. lines[..^1].Select(line => JsonDocument.Parse(line["data: ".Length..]).RootElement)];
    }

    private static async Task<string> NextAsync(StreamReader reader)
    {
        string? line = await reader.ReadLineAsync(Cancel);
        Assert.Equal("", await reader.ReadLineAsync(Cancel));
        return line!;
    }

    private async Task<HttpResponseMessage> PostAsync(SimulatorServer server, string body, string path = Chat)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _client.PostAsync(new Uri(server.BaseUrl, path), content, Cancel);
    }
}
