using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.Tests.Simulators;

/// <summary>The same question, plain and streamed: what the engine puts together holds the same JSON values.</summary>
public sealed class StreamedAnswersTests
{
    private const string Tools =
        ""","tools":[{"type":"function","function":{"parameters":{"name":"no"},"name":"get_time"}},"""
        + """{"type":"function","function":{"name":"get_\"place\""}}]""";

    private const string Prompt = """ "a\"\\\u00e9\ud83d\ude00 and \ud83d\ude00😀\nmore of it, éàü" """;
    private const string Streamed = ""","stream":true,"stream_options":{"include_usage":true}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Questions => new()
    {
        { "text", "" },
        { "three choices", ""","n":3""" },
        { "cut by the token limit", ""","max_tokens":7,"n":2""" },
        { "tools, all called", Tools + ""","tool_choice":"required" """ },
        { "tools, one of them named, two choices", Tools + ""","n":2,"tool_choice":{"type":"function","function":{"name":"get_time"}}""" },
        { "tools, none called", Tools + ""","tool_choice":"auto" """ },
        { "log probabilities", ""","logprobs":true,"n":2""" },
        { "thoughts", ""","reasoning_effort":"low" """ },
        { "thoughts, tools, log probabilities", Tools + ""","tool_choice":"required","logprobs":true,"reasoning_effort":"high","n":2""" },
        { "a refusal", ""","model":"simulator-refusal" """ },
    };

    [Theory]
    [MemberData(nameof(Questions))]
    public async Task Stream_PutTogether_IsThePlainAnswer(string name, string members)
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        string model = members.Contains("model", StringComparison.Ordinal) ? "" : "\"model\":\"m\",";
        string body = $$"""{{{model}}"messages":[{"role":"user","content":{{Prompt}}}]{{Streamed}}{{members}}}""";
        await using var manager = new RequestManager(
            new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false });
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([LlmRequest.FromJson(body)], Cancel))[0];
        byte[] plain = SimulatorAnswers.PlainChatCompletion(Encoding.UTF8.GetBytes(body));

        Assert.True(outcome.IsSuccess, $"{name}: {outcome.Error}");
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(plain), JsonNode.Parse(outcome.Response!.RawBody.Span)),
            $"{name}:\n{Encoding.UTF8.GetString(plain)}\n{Encoding.UTF8.GetString(outcome.Response.RawBody.Span)}");
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]}""")]
    [InlineData("""{"stream":true,"model":"m","messages":[{"role":"user","content":"x"}]}""")]
    [InlineData("""{"stream":true , "stream_options":{"a":[1]},"model":"m","messages":[{"role":"user","content":"x"}]}""")]
    [InlineData("""{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}""")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}],"stream" : false}""")]
    public void Hash_IgnoresStream(string body)
    {
        byte[] plain = SimulatorAnswers.PlainChatCompletion("""{"model":"m","messages":[{"role":"user","content":"x"}]}"""u8);

        Assert.Equal(plain, SimulatorAnswers.PlainChatCompletion(Encoding.UTF8.GetBytes(body)));
    }

    [Fact]
    public async Task Auto_StreamsFromTheSimulator_GivesItsAnswers()
    {
        await using SimulatorServer server = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        LlmRequest[] requests = [.. Enumerable.Range(0, 200).Select(i => LlmRequest.FromPrompt(null, $"question {i}", "m"))];
        await using var manager = new RequestManager(
            new OpenAIProvider("", server.ApiBase), new RequestManagerOptions { ShowProgress = false, StreamMode = StreamMode.Auto });
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(requests, Cancel);

        Assert.All(outcomes, (outcome, i) =>
            Assert.EndsWith($": question {i}", Assert.IsType<ChatCompletion>(outcome.Response).Text, StringComparison.Ordinal));
        Assert.All(outcomes, outcome => Assert.True(outcome.Usage!.CompletionTokens > 0));
        Assert.Equal((200, 200), (server.Stats.Sends, server.Stats.BodiesSent));
    }

    [Theory]
    [InlineData("tool_calls", Tools + ""","tool_choice":"required" """)]
    [InlineData("stop", ""","logprobs":true,"reasoning_effort":"low" """)]
    public void PlainAnswer_HoldsWhatWasAskedFor(string finishReason, string members)
    {
        string body = $$"""{"model":"m","messages":[{"role":"user","content":"a \"b\"é"}]{{members}}}""";
        JsonElement answer = JsonDocument.Parse(SimulatorAnswers.ChatCompletion(Encoding.UTF8.GetBytes(body))).RootElement;
        JsonElement choice = answer.GetProperty("choices")[0];
        JsonElement message = choice.GetProperty("message");

        Assert.Equal(finishReason, choice.GetProperty("finish_reason").GetString());
        if (finishReason == "tool_calls")
        {
            JsonElement[] functions = [.. message.GetProperty("tool_calls").EnumerateArray().Select(call => call.GetProperty("function"))];
            Assert.Equal(["get_time", "get_\"place\""], functions.Select(f => f.GetProperty("name").GetString()));
            Assert.All(functions, f =>
            {
                JsonElement arguments = JsonDocument.Parse(f.GetProperty("arguments").GetString()!).RootElement;
                Assert.EndsWith(": a \"b\"é", arguments.GetProperty("text").GetString(), StringComparison.Ordinal);
            });
            Assert.Equal(JsonValueKind.Null, message.GetProperty("content").ValueKind);
        }
        else
        {
            string? content = message.GetProperty("content").GetString();
            JsonElement[] tokens = [.. choice.GetProperty("logprobs").GetProperty("content").EnumerateArray()];
            Assert.Equal(content, string.Concat(tokens.Select(t => t.GetProperty("token").GetString())));
            Assert.Equal(
                Encoding.UTF8.GetBytes(content!), tokens.SelectMany(t => t.GetProperty("bytes").EnumerateArray().Select(b => b.GetByte())));
            Assert.StartsWith("Thinking ", message.GetProperty("reasoning_content").GetString(), StringComparison.Ordinal);
            Assert.Equal(
                5, answer.GetProperty("usage").GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32());
        }
    }
}
