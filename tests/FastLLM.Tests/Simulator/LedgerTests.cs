using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.Tests.Simulators;

public sealed class LedgerTests : IDisposable
{
    // One connection: the server answers a request only when it is through with the one before, its entry in the ledger included.
    private readonly HttpClient _client = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1 });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"Hello"}]}""", "/v1/chat/completions")]
    [InlineData("""{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]}""", "/v1/chat/completions")]
    [InlineData("""{"model":"e","input":"Hello"}""", "/v1/embeddings")]
    public async Task Ledger_HoldsSendAndAnswer_AsTransferred(string body, string path)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { Ledger = true }, Cancel);
        byte[] answer = await PostAsync(server, path, body);

        List<JsonElement> lines = await LedgerAsync(server);

        Assert.Equal(2, lines.Count);
        Assert.Equal(1, lines[0].GetProperty("request").GetInt64());
        Assert.Equal(path, lines[0].GetProperty("path").GetString());
        Assert.Equal(Encoding.UTF8.GetByteCount(body), lines[0].GetProperty("bytes").GetInt32());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body))), lines[0].GetProperty("sha256").GetString());
        Assert.Equal(1, lines[1].GetProperty("response").GetInt64());
        Assert.Equal(200, lines[1].GetProperty("status").GetInt32());
        Assert.Equal(answer.Length, lines[1].GetProperty("bytes").GetInt32());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(answer)), lines[1].GetProperty("sha256").GetString());
        Assert.Equal(1, server.Stats.Sends);
    }

    [Fact]
    public async Task Ledger_AnswerThatBreaksOff_IsNotInIt()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { Ledger = true, CutRate = 1 }, Cancel);
        await Assert.ThrowsAnyAsync<HttpRequestException>(
            () => PostAsync(server, "/v1/chat/completions", """{"model":"m","messages":[{"role":"user","content":"Hello"}]}"""));

        JsonElement only = Assert.Single(await LedgerAsync(server));
        Assert.True(only.TryGetProperty("request", out _));
    }

    [Fact]
    public async Task Ledger_OfManyEntries_IsWholeAndInOrder()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { Ledger = true }, Cancel);
        for (var i = 0; i < 200; i++)
        {
            await PostAsync(server, "/v1/embeddings", $$"""{"model":"e","input":"{{i}}"}""");
        }

        List<JsonElement> lines = await LedgerAsync(server);

        Assert.Equal(Enumerable.Range(1, 200), Numbers("request"));
        Assert.Equal(Enumerable.Range(1, 200), Numbers("response").Order());

        IEnumerable<int> Numbers(string kind) =>
            lines.Where(line => line.TryGetProperty(kind, out _)).Select(line => line.GetProperty(kind).GetInt32());
    }

    [Fact]
    public async Task Ledger_Idle_WaitsForOtherConnections()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { Ledger = true, StallRate = 1 }, Cancel);
        var other = new HttpClient();
        using var body = new StringContent("""{"model":"e","input":"Hello"}""");
        Task stalled = other.PostAsync(new Uri(server.BaseUrl, "/v1/embeddings"), body, Cancel);
        await server.UntilAsync(stats => stats.Faults.ContainsKey(SimulatorFault.Stall), Cancel);

        Task<string> ledger = _client.GetStringAsync(new Uri(server.BaseUrl, "/simulator/ledger?idle"), Cancel);
        await server.UntilAsync(stats => stats.InFlight == 1, Cancel);
        Assert.False(ledger.IsCompleted);
        other.Dispose();

        Assert.Single((await ledger).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stalled);
    }

    [Fact]
    public async Task Ledger_WithoutTheOption_IsNotFound()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage response = await _client.GetAsync(new Uri(server.BaseUrl, "/simulator/ledger"), Cancel);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    private async Task<byte[]> PostAsync(SimulatorServer server, string path, string body)
    {
        using HttpResponseMessage response = await _client.PostAsync(new Uri(server.BaseUrl, path), new StringContent(body), Cancel);
        return await response.Content.ReadAsByteArrayAsync(Cancel);
    }

    private async Task<List<JsonElement>> LedgerAsync(SimulatorServer server)
    {
        string text = await _client.GetStringAsync(new Uri(server.BaseUrl, "/simulator/ledger"), Cancel);
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return [.. lines.Select(line => JsonDocument.Parse(line).RootElement)];
    }
}
