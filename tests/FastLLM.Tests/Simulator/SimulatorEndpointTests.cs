using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Simulators;

/// <summary>Responses, completions, a model; JSON in formats and arguments.</summary>
public sealed class SimulatorEndpointTests : IDisposable
{
    private readonly HttpClient _client = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData("""{"model":"m","input":"Hi"}""", "Hi")]
    [InlineData("""{"model":"m","input":[{"role":"user","content":"old"},{"role":"assistant","content":[{"type":"output_text","text":"x"}]},{"role":"user","content":[{"type":"input_text","text":"a "},{"type":"input_text","text":"\"b\"é😀"}]}]}""", "a \"b\"é😀")]
    public async Task Responses_ThroughTheEngine_AnswerTheLastMessage(string body, string text)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false });
        LlmRequest request = LlmRequest.FromJson($$"""{"custom_id":"1","method":"POST","url":"/v1/responses","body":{{body}}}""");

        ResponseWrapper<LlmResponse> outcome = await manager.SendAsync(request, Cancel);

        Assert.EndsWith($": {text}", Assert.IsType<OtherResponse>(outcome.Response).Text, StringComparison.Ordinal);
        Assert.True(outcome.Usage!.CompletionTokens > 0);
        Assert.Equal(1, server.Stats.Count("/v1/responses", 200));
    }

    [Theory]
    [InlineData("")]
    [InlineData(""","reasoning":{"effort":"low"},"max_output_tokens":7""")]
    [InlineData(""","model":"simulator-refusal" """)]
    [InlineData(""","tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}},{"type":"function","name":"g"}],"tool_choice":"required" """)]
    public async Task Responses_StreamPutTogether_IsTheWholeResponse(string members)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        members = members.Trim();
        string body = $$"""{{{(members.Contains("model", StringComparison.Ordinal) ? "" : "\"model\":\"m\",")}}"input":"Say \"é😀\".\n"{{members}}}""";
        JsonNode whole = JsonNode.Parse(await PostAsync(server, "responses", body))!;

        string[] events = (await PostAsync(server, "responses", body[..^1] + ",\"stream\":true}")).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        JsonNode[] data = [.. events.Select(text => JsonNode.Parse(text.Split("\ndata: ")[1])!)];

        Assert.All(events, (text, i) => Assert.Equal((string)data[i]["type"]!, text.Split('\n')[0]["event: ".Length..]));
        Assert.Equal(Enumerable.Range(0, data.Length), data.Select(item => (int)item["sequence_number"]!));
        Assert.True(JsonNode.DeepEquals(whole, data[^1]["response"]), $"{whole}\n{data[^1]}");
        string deltas = string.Concat(data.Where(item => ((string)item["type"]!).EndsWith(".delta", StringComparison.Ordinal)).Select(item => (string)item["delta"]!));
        string texts = string.Concat(whole["output"]!.AsArray().Select(item => (string?)item!["arguments"]
            ?? string.Concat((item["content"] ?? item["summary"])!.AsArray().Select(part => (string?)part!["text"] ?? (string?)part["refusal"]))));
        Assert.Equal(texts, deltas);
        JsonNode[] done = [.. data.Where(item => (string)item["type"]! == "response.output_item.done").Select(item => item["item"]!)];
        Assert.True(JsonNode.DeepEquals(whole["output"], new JsonArray([.. done.Select(item => item.DeepClone())])));
    }

    [Fact]
    public async Task Responses_TokensPerSecond_PacesTheEvents()
    {
        var time = new ManualTimeProvider();
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { TokensPerSecond = 1, TimeProvider = time }, Cancel);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{server.ApiBase}/responses") { Content = new StringContent("""{"model":"m","input":"abc","stream":true}""") };
        using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));

        // 20 bytes are five tokens.
        for (var token = 1; token <= 5; token++)
        {
            await time.WaitForTimersAsync(1, Cancel);
            Assert.Equal(1000, time.NextDue!.Value.TotalMilliseconds, 2.0);
            time.AdvanceToNext();
        }

        string events = await reader.ReadToEndAsync(Cancel);
        Assert.Equal(5, events.Split("event: response.output_text.delta\n").Length - 1);
        Assert.EndsWith("\n\n", events, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Completions_AnswerEachPrompt()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { Ledger = true }, Cancel);
        JsonNode answer = JsonNode.Parse(await PostAsync(server, "completions", """{"model":"m","prompt":["one","tw\"o"],"n":2,"max_tokens":50}"""))!;
        JsonNode cut = JsonNode.Parse(await PostAsync(server, "completions", $$"""{"model":"m","prompt":"{{new string('x', 100)}}"}"""))!;
        string stream = await PostAsync(server, "completions", """{"model":"m","prompt":"one","stream":true,"stream_options":{"include_usage":true}}""");

        Assert.Equal(["one", "one", "tw\"o", "tw\"o"], answer["choices"]!.AsArray().Select(choice => ((string)choice!["text"]!)["Answer 01234567: ".Length..]));
        Assert.Equal([0, 1, 2, 3], answer["choices"]!.AsArray().Select(choice => (int)choice!["index"]!));
        Assert.Equal((64, "length", 16), (((string)cut["choices"]![0]!["text"]!).Length, (string)cut["choices"]![0]!["finish_reason"]!, (int)cut["usage"]!["completion_tokens"]!));
        Assert.EndsWith("data: [DONE]\n\n", stream, StringComparison.Ordinal);
        Assert.Contains("\"usage\":{\"prompt_tokens\":1", stream, StringComparison.Ordinal);
        Assert.Equal(3, server.Stats.Count("/v1/completions", 200));
        Assert.Contains("\"path\":\"/v1/completions\"", await _client.GetStringAsync(new Uri($"{server.BaseUrl.GetLeftPart(UriPartial.Authority)}/simulator/ledger"), Cancel), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("responses", """{"input":"a"}""", "model")]
    [InlineData("responses", """{"model":"m"}""", "input")]
    [InlineData("responses", """{"model":"m","input":[1]}""", "input")]
    [InlineData("responses", """{"model":"m","input":"a","max_output_tokens":0}""", "max_output_tokens")]
    [InlineData("responses", """{"model":"m","input":"a","previous_response_id":"r"}""", "previous_response_id")]
    [InlineData("responses", """{"model":"m","input":"a","text":{"format":{"type":"json_schema","name":"n"}}}""", "text.format.schema")]
    [InlineData("completions", """{"model":"m"}""", "prompt")]
    [InlineData("completions", """{"model":"m","prompt":[]}""", "prompt")]
    [InlineData("completions", """{"model":"m","prompt":"a","n":1000}""", "n")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"strange"}}""", "response_format.type")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"n"}}}""", "response_format.json_schema.schema")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":"call f"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","not":{}}}}]}""", "tools.function.parameters")]
    public async Task BadRequest_NamesTheParameter(string path, string body, string param)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        using HttpResponseMessage response = await _client.PostAsync($"{server.ApiBase}/{path}", new StringContent(body), Cancel);
        JsonNode error = JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancel))!["error"]!;

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(param, (string)error["param"]!);
    }

    [Theory]
    [InlineData("Hi, get_time and get_place, please.", "", "get_time get_place")]
    [InlineData("Hi, get_place, please.", ""","tool_choice":"auto" """, "get_place")]
    [InlineData("get_time and get_place", ""","parallel_tool_calls":false""", "get_time")]
    [InlineData("get_time", ""","tool_choice":"none" """, "")]
    [InlineData("Hi", "", "")]
    public async Task Tools_NamedInTheLastMessage_AreCalled(string prompt, string members, string called)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        const string tools = """[{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"get_place","parameters":{"type":"object","properties":{"q":{"type":"integer","minimum":5,"maximum":5}},"required":["q"]}}}]""";
        string body = $$"""{"model":"m","messages":[{"role":"user","content":"{{prompt}}"}],"tools":{{tools}}{{members}}}""";
        JsonNode message = JsonNode.Parse(await PostAsync(server, "chat/completions", body))!["choices"]![0]!["message"]!;
        JsonArray calls = message["tool_calls"]?.AsArray() ?? [];

        Assert.Equal(called, string.Join(' ', calls.Select(call => (string)call!["function"]!["name"]!)));
        Assert.All(calls, call => Assert.Equal((string)call!["function"]!["name"]! == "get_time" ? "{}" : """{"q":5}""", (string)call["function"]!["arguments"]!));
        string result = body.Replace("}],\"tools\"", "},{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"get_time\"}],\"tools\"", StringComparison.Ordinal);
        Assert.Null(JsonNode.Parse(await PostAsync(server, "chat/completions", result))!["choices"]![0]!["message"]!["tool_calls"]);
    }

    [Fact]
    public async Task Format_OfEachChoice_IsItsOwn_CutAtTheLimit_AndStreamedAlike()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        const string body = """{"model":"m","n":2,"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"é\"":{"type":"string"}}}}}""";
        JsonNode whole = JsonNode.Parse(await PostAsync(server, "chat/completions", body + "}"))!;
        string[] texts = [.. whole["choices"]!.AsArray().Select(choice => (string)choice!["message"]!["content"]!)];
        JsonNode cut = JsonNode.Parse(await PostAsync(server, "chat/completions", body + ",\"max_tokens\":2}"))!;
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false });
        LlmResponse streamed = (await manager.SendAsync(LlmRequest.FromJson(body + ",\"stream\":true}"), Cancel)).Response;

        Assert.All(texts, text => Assert.StartsWith("é\" ", (string)JsonNode.Parse(text)!["é\""]!, StringComparison.Ordinal));
        Assert.NotEqual(texts[0], texts[1]);
        Assert.Equal(texts, ((ChatCompletion)streamed).Choices.Select(choice => choice.Text));
        Assert.Equal(("length", 2 * 2), ((string)cut["choices"]![0]!["finish_reason"]!, (int)cut["usage"]!["completion_tokens"]!));
        Assert.Equal(texts.Sum(text => (Encoding.UTF8.GetByteCount(text) + 3) / 4), (int)whole["usage"]!["completion_tokens"]!);
    }

    [Theory]
    [InlineData("simulator-chat", "simulator-chat")]
    [InlineData("org%2Fmy%20%22model%22", "org/my \"model\"")]
    public async Task Model_OfAnyName_IsKnown(string address, string id)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        JsonNode model = JsonNode.Parse(await _client.GetStringAsync($"{server.ApiBase}/models/{address}", Cancel))!;

        Assert.Equal((id, "model"), ((string)model["id"]!, (string)model["object"]!));
        Assert.Equal(1, server.Stats.Count("/v1/models", 200));
    }

    [Fact]
    public async Task ErrorInOk_OfAResponseStream_IsAnErrorEvent()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(new SimulatorOptions { ErrorInOkRate = 1 }, Cancel);

        string events = await PostAsync(server, "responses", """{"model":"m","input":"a","stream":true}""");

        Assert.StartsWith("event: error\ndata: {\"type\":\"error\"", events, StringComparison.Ordinal);
    }

    private async Task<string> PostAsync(SimulatorServer server, string path, string body)
    {
        using HttpResponseMessage response = await _client.PostAsync($"{server.ApiBase}/{path}", new StringContent(body), Cancel);
        string text = await response.Content.ReadAsStringAsync(Cancel);
        Assert.True(response.IsSuccessStatusCode, text);
        return text;
    }
}
