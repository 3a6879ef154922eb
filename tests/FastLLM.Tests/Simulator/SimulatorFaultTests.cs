using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.Tests.Simulators;

public sealed class SimulatorFaultTests : IDisposable
{
    private const string Chat = "/v1/chat/completions";
    private const string Hello = """{"model":"m","messages":[{"role":"user","content":"Hello"}]}""";
    private const string Streamed = """{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]}""";

    private readonly HttpClient _client = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public void FaultOf_GivesEachFaultItsShare()
    {
        var options = new SimulatorOptions { ErrorRate = 0.1, StallRate = 0.15, ResetRate = 0.2, CutRate = 0.05, ErrorInOkRate = 0.25 };
        Dictionary<SimulatorFault, int> counts = Enumerable.Range(0, 20_000)
            .CountBy(i => SimulatorErrors.FaultOf(options, BitConverter.GetBytes(i), 1 + (i % 3))).ToDictionary();

        Assert.Equal(0.1, counts[SimulatorFault.Error] / 20_000.0, 0.01);
        Assert.Equal(0.15, counts[SimulatorFault.Stall] / 20_000.0, 0.01);
        Assert.Equal(0.2, counts[SimulatorFault.Reset] / 20_000.0, 0.01);
        Assert.Equal(0.05, counts[SimulatorFault.Cut] / 20_000.0, 0.01);
        Assert.Equal(0.25, counts[SimulatorFault.ErrorInOk] / 20_000.0, 0.01);
        Assert.Equal(0.25, counts[SimulatorFault.None] / 20_000.0, 0.01);
    }

    [Fact]
    public void FaultOf_EachSend_IsDrawnAnew()
    {
        var options = new SimulatorOptions { ErrorRate = 0.5 };
        Assert.Equal(2, Enumerable.Range(1, 50).Select(send => SimulatorErrors.FaultOf(options, "a"u8, send)).Distinct().Count());
    }

    [Theory]
    [InlineData(Hello)]
    [InlineData(Streamed)]
    public async Task Stall_LastsUntilTheClientLeaves(string body)
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { StallRate = 1 });
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        Task<HttpResponseMessage> stalled = PostAsync(server, body, leaving.Token);
        await server.UntilAsync(stats => stats.Faults.ContainsKey(SimulatorFault.Stall), Cancel);
        Assert.Equal(1, server.Stats.InFlight);
        Assert.False(stalled.IsCompleted);

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stalled);
        await server.UntilAsync(stats => stats.Count(Chat, 499) == 1, Cancel);
        Assert.Equal(0, server.Stats.InFlight);
    }

    [Fact]
    public async Task Stall_EndsWithTheServer()
    {
        SimulatorServer server = await StartAsync(new SimulatorOptions { StallRate = 1 });
        Task<HttpResponseMessage> stalled = PostAsync(server, Hello);
        await server.UntilAsync(stats => stats.Faults.ContainsKey(SimulatorFault.Stall), Cancel);
        await server.DisposeAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => stalled);
    }

    [Theory]
    [InlineData(Hello)]
    [InlineData(Streamed)]
    public async Task Reset_EndsTheConnectionWithoutAByte(string body)
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { ResetRate = 1 });
        HttpRequestException failure = await Assert.ThrowsAnyAsync<HttpRequestException>(() => PostAsync(server, body));
        SocketException socket = Assert.IsType<SocketException>(failure.GetBaseException());
        Assert.Equal(SocketError.ConnectionReset, socket.SocketErrorCode);
        Assert.Equal((1, 0), (server.Stats.Count(Chat, 444), server.Stats.InFlight));
    }

    [Fact]
    public async Task Cut_PromisesTheWholeBodyAndSendsHalf()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { CutRate = 1 });
        byte[] answer = SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(Hello));
        (HttpResponseMessage response, byte[] bytes, bool broken) = await ReadAsync(server, Hello);

        Assert.Equal((HttpStatusCode.OK, answer.Length), (response.StatusCode, (int)response.Content.Headers.ContentLength!));
        Assert.Equal(answer[..(answer.Length / 2)], bytes);
        Assert.True(broken);
        Assert.Equal((1, 0), (server.Stats.Count(Chat, 200), server.Stats.BodiesSent));
        response.Dispose();
    }

    [Fact]
    public async Task Cut_BreaksAStreamOff()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { CutRate = 1 });
        byte[] answer = SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(Streamed));
        (HttpResponseMessage response, byte[] bytes, bool broken) = await ReadAsync(server, Streamed);

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(answer[..(answer.Length / 2)], bytes);
        Assert.True(broken);
        Assert.Equal((0, 0), (server.Stats.BodiesSent, server.Stats.InFlight));
        response.Dispose();
    }

    [Fact]
    public async Task ErrorInOk_HasOpenRoutersBody()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { ErrorInOkRate = 1 });
        using HttpResponseMessage response = await PostAsync(server, Hello);
        JsonElement root = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(502, root.GetProperty("error").GetProperty("code").GetInt32());
        Assert.Equal("provider_unavailable", root.GetProperty("error").GetProperty("metadata").GetProperty("error_type").GetString());
        Assert.StartsWith("gen-", root.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.False(root.TryGetProperty("choices", out _));
        Assert.Equal(0, server.Stats.BodiesSent);
    }

    [Fact]
    public async Task ErrorInOk_OfAStream_IsAChunk()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { ErrorInOkRate = 1 });
        using HttpResponseMessage response = await PostAsync(server, Streamed);
        string text = await response.Content.ReadAsStringAsync(Cancel);

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.StartsWith("data: {", text, StringComparison.Ordinal);
        Assert.EndsWith("}\n\n", text, StringComparison.Ordinal);
        JsonElement chunk = JsonDocument.Parse(text["data: ".Length..]).RootElement;
        Assert.Equal("provider_unavailable", chunk.GetProperty("error").GetProperty("metadata").GetProperty("error_type").GetString());
        Assert.Equal("error", chunk.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task ErrorRate_OfAStream_AnswersPlain()
    {
        await using SimulatorServer server = await StartAsync(
            new SimulatorOptions { ErrorRate = 1, ErrorStatus = 499, TokensPerSecond = 1 });
        using HttpResponseMessage response = await PostAsync(server, Streamed);
        Assert.Equal((499, "application/json"), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.True((await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).TryGetProperty("error", out _));
    }

    [Fact]
    public async Task SameSeedAndSends_GiveTheSameTrace()
    {
        var options = new SimulatorOptions
        {
            Seed = 42,
            ErrorRate = 0.1,
            StallRate = 0.1,
            ResetRate = 0.15,
            CutRate = 0.15,
            ErrorInOkRate = 0.1,
            QuotaAfter = 100,
        };
        string[] bodies =
        [
            .. Enumerable.Range(0, 300).Select(i => i % 3 == 0
                ? Streamed.Replace("Hello", $"Hi {i % 80}", StringComparison.Ordinal)
                : Hello.Replace("Hello", $"Hello {i % 80}", StringComparison.Ordinal)),
        ];
        (string[] first, string faults) = await TraceAsync(options, bodies);
        (string[] second, string faultsAgain) = await TraceAsync(options, bodies);
        options.Seed = 43;
        (string[] other, _) = await TraceAsync(options, bodies);

        Assert.Equal(first, second);
        Assert.Equal(faults, faultsAgain);
        Assert.NotEqual(first, other);
        Assert.Equal(5, faults.Split(';').Length); // each kind was met

        // And the law tells it beforehand, as long as there is money.
        options.Seed = 42;
        var sends = new Dictionary<string, int>();
        for (int i = 0; i < 100; i++)
        {
            int send = sends[bodies[i]] = sends.GetValueOrDefault(bodies[i]) + 1;
            string expected = SimulatorErrors.FaultOf(options, Encoding.UTF8.GetBytes(bodies[i]), send) switch
            {
                SimulatorFault.Error => "503 ",
                SimulatorFault.Stall => "stalled",
                SimulatorFault.Reset => "reset",
                SimulatorFault.Cut => "200 cut ",
                _ => "200 ",
            };
            Assert.StartsWith(expected, first[i], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Stats_CountFaultsAndRejections()
    {
        await using SimulatorServer server = await StartAsync(new SimulatorOptions { FailFirst = 2, ErrorStatus = 429, ErrorInOkRate = 1 });
        for (int i = 0; i < 5; i++)
        {
            using HttpResponseMessage response = await PostAsync(server, Hello);
        }

        JsonElement told = await _client.GetFromJsonAsync<JsonElement>(new Uri(server.BaseUrl, "/simulator/stats"), Cancel);
        Assert.Equal(2, told.GetProperty("rejected").GetInt64());
        Assert.Equal("""{"error":2,"error_in_ok":3}""", JsonSerializer.Serialize(told.GetProperty("faults")));
        Assert.Equal((2, 3), (server.Stats.Faults[SimulatorFault.Error], server.Stats.Faults[SimulatorFault.ErrorInOk]));
        server.ResetStats();
        Assert.Empty(server.Stats.Faults);
        Assert.Equal(0, server.Stats.Rejected);
    }

    [Fact]
    public async Task StartAsync_RatesAboveOne_Throws()
    {
        var options = new SimulatorOptions { ErrorRate = 0.7, StallRate = 0.2, ResetRate = 0.1 };
        await using SimulatorServer server = await StartAsync(options); // 1, if not to the last bit
        options.CutRate = 0.01;
        await Assert.ThrowsAsync<ArgumentException>(() => StartAsync(options));
        Assert.Throws<ArgumentOutOfRangeException>(() => options.StallRate = -0.1);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.ResetRate = 1.1);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.CutRate = double.NaN);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.ErrorInOkRate = 2);
    }

    private static Task<SimulatorServer> StartAsync(SimulatorOptions options) => SimulatorServer.StartAsync(options, Cancel);

    private async Task<(string[] Trace, string Faults)> TraceAsync(SimulatorOptions options, string[] bodies)
    {
        await using SimulatorServer server = await StartAsync(options);
        var trace = new List<string>();
        foreach (string body in bodies)
        {
            long stalls = server.Stats.Faults.GetValueOrDefault(SimulatorFault.Stall);
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            Task<(HttpResponseMessage Response, byte[] Bytes, bool Broken)> reading = ReadAsync(server, body, leaving.Token);
            await Task.WhenAny(reading, server.UntilAsync(stats => stats.Faults.GetValueOrDefault(SimulatorFault.Stall) > stalls, Cancel));
            if (server.Stats.Faults.GetValueOrDefault(SimulatorFault.Stall) > stalls)
            {
                await leaving.CancelAsync();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
                trace.Add("stalled");
                continue;
            }

            try
            {
                (HttpResponseMessage response, byte[] bytes, bool broken) = await reading;
                trace.Add($"{(int)response.StatusCode} {(broken ? "cut " : "")}{Encoding.UTF8.GetString(bytes)}");
                response.Dispose();
            }
            catch (HttpRequestException e) when (e.GetBaseException() is SocketException)
            {
                trace.Add("reset");
            }
        }

        return ([.. trace], string.Join(';', server.Stats.Faults));
    }

    private async Task<(HttpResponseMessage Response, byte[] Bytes, bool Broken)> ReadAsync(
        SimulatorServer server, string body, CancellationToken? cancel = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.BaseUrl, Chat));
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel ?? Cancel);
        using var bytes = new MemoryStream();
        bool broken = false;
        try
        {
            await (await response.Content.ReadAsStreamAsync(Cancel)).CopyToAsync(bytes, Cancel);
        }
        catch (HttpIOException e) when (e.HttpRequestError == HttpRequestError.ResponseEnded)
        {
            broken = true;
        }

        return (response, bytes.ToArray(), broken);
    }

    private async Task<HttpResponseMessage> PostAsync(SimulatorServer server, string body, CancellationToken? cancel = null)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _client.PostAsync(new Uri(server.BaseUrl, Chat), content, cancel ?? Cancel);
    }
}
