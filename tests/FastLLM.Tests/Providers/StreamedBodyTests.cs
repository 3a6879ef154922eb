using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>A stream, wherever its bytes are cut, is the answer that would have come without, or the failure that the table knows.</summary>
public sealed class StreamedBodyTests
{
    private const string Head = "\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\"";
    private const string Body = "\"id\":\"c\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\"";
    private const string Stop = "\"finish_reason\":\"stop\"";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Good => new()
    {
        {
            "OpenAI: text, usage, padding",
            Events(
                Chunk("""{"role":"assistant","content":"","refusal":null}""", after: ""","usage":null,"obfuscation":"x"}"""),
                Chunk("""{"content":"Hé\ud83d"}""", after: ""","usage":null,"obfuscation":"xyz"}"""),
                Chunk("""{"content":"\ude00 \"€😀\n"}""", after: ""","usage":null}"""),
                Chunk("{}", "stop", ""","usage":null}"""),
                $$$$"""{{{{{Head}}}},"service_tier":"default","system_fingerprint":"fp","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}}}""",
                "[DONE]"),
            $$$$"""{{{{{Body}}}},"service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"message":{"role":"assistant","content":"Hé\ud83d\ude00 \"€😀\n","refusal":null},"logprobs":null,{{{{Stop}}}}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}}}"""
        },
        {
            "tools, in turns",
            Events(
                Chunk("""{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"""),
                Chunk("""{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}"""),
                Chunk("""{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}"""),
                Chunk("""{"tool_calls":[{"index":0,"function":{"arguments":":1}"}},{"index":1,"function":{"arguments":"{}"}}]}"""),
                Chunk("{}", "tool_calls"),
                "[DONE]"),
            Whole("""{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}""", "tool_calls")
        },
        {
            "tools: id, type, role and name said again and again, an empty text in front",
            Events(
                Chunk("""{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"["}}]}"""),
                Chunk("""{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"1]"}}]}"""),
                Chunk("""{"role":"","content":null,"tool_calls":[{"index":0,"id":"","type":"","function":{"name":"","arguments":" "}}]}""", "tool_calls"),
                "[DONE]"),
            Whole("""{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"[1] "}}]}""", "tool_calls")
        },
        {
            "Gemini: every call is number 0",
            Events(Chunk("""{"role":"assistant","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"b","function":{"name":"f","arguments":"[]"}}]}""", "tool_calls"), "[DONE]"),
            Whole("""{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"[]"}}]}""", "tool_calls")
        },
        {
            "Ollama: calls without a number; a name in two pieces",
            Events(
                Chunk("""{"tool_calls":[{"id":"a","function":{"name":"get_","arguments":""}}]}"""),
                Chunk("""{"tool_calls":[{"id":"a","function":{"name":"time","arguments":"{}"}}]}"""),
                Chunk("""{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{"}}]}"""),
                Chunk("""{"tool_calls":[{"function":{"arguments":"}"}}]}""", "tool_calls")),
            Whole("""{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"get_time","arguments":"{}"}},{"id":"b","function":{"name":"g","arguments":"{}"}}]}""", "tool_calls")
        },
        {
            "the older function call",
            Events(Chunk("""{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"""), Chunk("""{"function_call":{"arguments":"{}"}}""", "function_call"), "[DONE]"),
            Whole("""{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}}""", "function_call")
        },
        {
            "a refusal",
            Events(Chunk("""{"role":"assistant","content":"","refusal":null}"""), Chunk("""{"refusal":"I can"}"""), Chunk("""{"refusal":"not."}"""), Chunk("{}", "stop"), "[DONE]"),
            Whole("""{"role":"assistant","content":null,"refusal":"I cannot."}""", "stop")
        },
        {
            "DeepSeek: thoughts, then text, keep-alives",
            ": keep-alive\n\n: keep-alive\n\n" + Events(
                Chunk("""{"role":"assistant","content":null,"reasoning_content":""}"""), Chunk("""{"content":null,"reasoning_content":"Let"}"""), Chunk("""{"content":null,"reasoning_content":" me"}"""),
                Chunk("""{"content":"ok","reasoning_content":null}"""), Chunk("""{"content":"","reasoning_content":null}""", "stop", ""","usage":{"prompt_tokens":1}}"""), "[DONE]"),
            Whole("""{"role":"assistant","content":"ok","reasoning_content":"Let me"}""", "stop", ""","usage":{"prompt_tokens":1}}""")
        },
        {
            "OpenRouter: comments, details of thoughts by their number",
            ": OPENROUTER PROCESSING\n\n" + Events(
                Chunk("""{"role":"assistant","content":"","reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"""),
                Chunk("""{"role":"assistant","content":"","reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","index":0,"signature":"s"}]}"""),
                Chunk("""{"role":"assistant","content":"t"}""", "stop"), "[DONE]"),
            Whole("""{"role":"assistant","content":"t","reasoning":"ab","reasoning_details":[{"type":"reasoning.text","text":"ab","index":0,"signature":"s"}]}""", "stop")
        },
        {
            "Mistral: a text that begins as parts",
            Events(
                Chunk("""{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"""), Chunk("""{"content":[{"type":"thinking","thinking":[{"type":"text","text":"m"}]}]}"""),
                Chunk("""{"content":"so"}"""), Chunk("""{"content":" it is"}"""), Chunk("""{"content":""}""", "stop"), "[DONE]"),
            Whole("""{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hmm"}]},{"type":"text","text":"so it is"}]}""", "stop")
        },
        {
            "log probabilities",
            Events(
                Chunk("""{"role":"assistant","content":"","refusal":null}"""),
                """{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-1e-3,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":null}]}],"refusal":null},"finish_reason":null}]}""",
                """{"choices":[{"index":0,"delta":{"content":"bc"},"logprobs":{"content":[{"token":"b","logprob":-2,"bytes":[98],"top_logprobs":[]},{"token":"c","logprob":0,"bytes":[99],"top_logprobs":[]}],"refusal":null},"finish_reason":null}]}""",
                Chunk("{}", "stop"), "[DONE]"),
            $$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{"role":"assistant","content":"abc","refusal":null},"logprobs":{"content":[{"token":"a","logprob":-1e-3,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":null}]},{"token":"b","logprob":-2,"bytes":[98],"top_logprobs":[]},{"token":"c","logprob":0,"bytes":[99],"top_logprobs":[]}],"refusal":null},{{{{Stop}}}}}]}"""
        },
        {
            "two choices, the second first; their number behind the delta",
            Events(
                $$$$"""{{{{{Head}}}},"choices":[{"delta":{"role":"assistant","content":"b"},"index":1},{"index":0,"delta":{"content":"a"}}]}""",
                """{"choices":[{"delta":{"content":"B"},"finish_reason":"length","index":1}]}""",
                """{"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"}]}"""),
            $$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{"role":"assistant","content":"aA"},{{{{Stop}}}}},{"index":1,"message":{"role":"assistant","content":"bB"},"finish_reason":"length"}]}"""
        },
        {
            "Azure: a first chunk of empty words, filters, an ending without [DONE]",
            Events(
                """{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}""",
                $$$$"""{{{{{Head}}}},"choices":[{"index":0,"content_filter_results":{},"delta":{"role":"assistant","content":"x"},"finish_reason":null}]}""",
                $$$$"""{{{{{Head}}}},"choices":[{"index":0,"content_filter_results":{"hate":{"filtered":false}},"delta":{},"finish_reason":"stop"}]}"""),
            $$$$"""{{{{{Body}}}},"prompt_filter_results":[{"prompt_index":0}],"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"content_filter_results":{"hate":{"filtered":false}},{{{{Stop}}}}}]}"""
        },
        {
            "Groq: usage in a member of its own",
            Events($$$$"""{{{{{Head}}}},"x_groq":{"id":"req_1"},"choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"logprobs":null}]}""", $$$$"""{{{{{Head}}}},"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"prompt_tokens":5}}}""", "[DONE]"),
            $$$$"""{{{{{Body}}}},"x_groq":{"id":"req_1"},"usage":{"prompt_tokens":5},"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"logprobs":null,{{{{Stop}}}}}]}"""
        },
        {
            "Perplexity: the whole message beside each delta, and lists of its own",
            Events(
                $$$$"""{{{{{Head}}}},"citations":["u"],"choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"a"},"delta":{"role":"assistant","content":"a"}}]}""",
                $$$$"""{{{{{Head}}}},"citations":["u","v"],"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ab"},"delta":{"role":"assistant","content":"b"}}]}"""),
            $$$$"""{{{{{Body}}}},"citations":["u","v"],"choices":[{"index":0,"message":{"role":"assistant","content":"ab"},{{{{Stop}}}}}]}"""
        },
        {
            "a plain answer as the only event",
            Events($$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{"role":"assistant","content":"a"},{{{{Stop}}}}}],"usage":{"prompt_tokens":1}}""", "[DONE]"),
            $$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{"role":"assistant","content":"a"},{{{{Stop}}}}}],"usage":{"prompt_tokens":1}}"""
        },
        {
            "annotations, sound, members nobody knows",
            Events(
                Chunk("""{"role":"assistant","annotations":[{"type":"url_citation","n":1}],"audio":{"id":"s","transcript":"a","data":"AAAA","expires_at":1},"odd":"x","odder":1}"""),
                Chunk("""{"annotations":[{"type":"url_citation","n":2}],"audio":{"id":"s","transcript":"b","data":"BBBB","expires_at":2},"odd":"y","odder":2}""", "stop"), "[DONE]"),
            Whole("""{"role":"assistant","content":null,"annotations":[{"type":"url_citation","n":1},{"type":"url_citation","n":2}],"audio":{"id":"s","transcript":"ab","data":"AAAABBBB","expires_at":2},"odd":"xy","odder":2}""", "stop")
        },
        {
            "pings and empty events between, CRLF, a mark in front, the last line without an end",
            "\uFEFF" + ("event: ping\ndata: {\"type\":\"ping\"}\n\ndata:\n\n" + Events(Chunk("""{"role":"assistant","content":"x"}""", "stop")) + "data: [DONE]").Replace("\n", "\r\n", StringComparison.Ordinal),
            Whole("""{"role":"assistant","content":"x"}""", "stop")
        },
        {
            "nothing but thinking, cut by the token limit",
            Events(Chunk("""{"role":"assistant"}"""), Chunk("{}", "length"), "[DONE]"),
            Whole("""{"role":"assistant","content":null}""", "length")
        },
        {
            "blank lines, then a plain body",
            "\n\n \r\n" + $$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{"role":"assistant","content":"a"},{{{{Stop}}}}}]}""" + "\n",
            $$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{"role":"assistant","content":"a"},{{{{Stop}}}}}]}"""
        },
    };

    public static TheoryData<string, string, FailureKind> Bad => new()
    {
        { "an error in the middle", Events(Begun, """{"error":{"message":"oops","type":"server_error"}}"""), FailureKind.ServerError },
        { "an error, then [DONE] (vLLM)", Events(Begun, """{"error":{"message":"no","type":"BadRequestError","param":null,"code":400}}""", "[DONE]"), FailureKind.InvalidRequest },
        { "an error, then an end that looks good", Events(Begun, """{"error":{"message":"oops"}}""", Chunk("{}", "stop"), "[DONE]"), FailureKind.ServerError },
        { "OpenRouter: beside choices", Events(Begun, """{"id":"g","error":{"code":502,"message":"x","metadata":{"error_type":"provider_unavailable"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"""), FailureKind.ServerError },
        { "OpenRouter: rate limit", Events("""{"error":{"code":429,"message":"x"},"choices":[]}"""), FailureKind.RateLimited },
        { "Anthropic: an event named error", Events(Begun) + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n", FailureKind.Overloaded },
        { "an event named error without the word", Events(Begun) + "event: error\ndata: {\"type\":\"overloaded_error\"}\n\n", FailureKind.Overloaded },
        { "an event named error that is no JSON", Events(Begun) + "event: error\ndata: broken \"pipe\"\n\n", FailureKind.ServerError },
        { "older llama.cpp: a field named error", Events(Begun) + "error: {\"code\":500,\"message\":\"x\",\"type\":\"server_error\"}\n\n", FailureKind.ServerError },
        { "older llama.cpp: context", "error: {\"error\":{\"code\":400,\"message\":\"x\",\"type\":\"exceed_context_size_error\"}}\n\n", FailureKind.ContextLength },
        { "Groq", Events(Begun, $$$$"""{{{{{Head}}}},"choices":[],"x_groq":{"id":"r","error":"over capacity"}}""", "[DONE]"), FailureKind.ServerError },
        { "Mistral's flat form", Events("""{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300"}"""), FailureKind.RateLimited },
        { "out of money", Events(Begun, """{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"""), FailureKind.QuotaExhausted },
        { "finish reason error", Events(Begun, Chunk("{}", "error"), "[DONE]"), FailureKind.IncompleteResponse },
        { "DeepSeek gave up", Events(Begun, Chunk("{}", "insufficient_system_resource"), "[DONE]"), FailureKind.IncompleteResponse },
        { "no finish reason (Ollama)", Events(Begun, Chunk("{}")), FailureKind.IncompleteResponse },
        { "no finish reason, but [DONE]", Events(Begun, "[DONE]"), FailureKind.IncompleteResponse },
        { "one of two unfinished", Events("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{"content":"x"}}]}""", "[DONE]"), FailureKind.IncompleteResponse },
        { "[DONE] alone", Events("[DONE]"), FailureKind.IncompleteResponse },
        { "comments alone", ": keep-alive\n\n: keep-alive\n\n", FailureKind.IncompleteResponse },
        { "usage alone", Events("""{"choices":[],"usage":{"prompt_tokens":1}}""", "[DONE]"), FailureKind.IncompleteResponse },
        { "no JSON", Events(Begun, "hello", Chunk("{}", "stop")), FailureKind.InvalidResponse },
        { "half of a JSON, then more", Events(Begun, "{\"choices\":[", Chunk("{}", "stop")), FailureKind.InvalidResponse },
        { "an array", Events("[]", Chunk("{}", "stop")), FailureKind.InvalidResponse },
        { "too deep", Events("{\"choices\":" + new string('[', 200) + new string(']', 200) + "}"), FailureKind.InvalidResponse },
        { "a plain error", """{"error":{"code":503,"message":"x"}}""", FailureKind.Overloaded },
        { "a plain error of Gemini's", """[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]""", FailureKind.RateLimited },
        { "a page", "<html>no</html>", FailureKind.InvalidResponse },
        { "half of a plain body", """{"choices":[{"message":{"content":"x""", FailureKind.IncompleteResponse },
    };

    private static string Begun => Chunk("""{"role":"assistant","content":"x"}""");

    [Theory]
    [MemberData(nameof(Good))]
    public async Task ReadAsync_AnyCuts_AssemblesTheBody(string name, string stream, string body)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(stream);
        LlmResponse whole = await SendAsync([bytes]);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(body), JsonNode.Parse(whole.RawBody.Span)), Encoding.UTF8.GetString(whole.RawBody.Span));
        Assert.IsType<ChatCompletion>(whole);

        for (int i = 1; i < bytes.Length; i++)
        {
            LlmResponse cut = await SendAsync([bytes[..i], bytes[i..]]);
            Assert.True(whole.RawBody.Span.SequenceEqual(cut.RawBody.Span), $"{name}, cut at {i}");
        }

        Assert.Equal(whole.RawBody.ToArray(), (await SendAsync(bytes.Select(b => new[] { b }))).RawBody.ToArray());
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task ReadAsync_BadStream_IsTheSameFault(string name, string stream, FailureKind kind)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(stream);
        for (int i = 0; i < bytes.Length; i++)
        {
            LlmException failure = await Assert.ThrowsAsync<LlmException>(() => SendAsync([bytes[..i], bytes[i..]]));
            Assert.True(kind == failure.Kind, $"{name}, cut at {i}: {failure.Kind}, {failure.Message}");
            Assert.True(failure.MaybeBilled);
            Assert.Equal(200, failure.StatusCode);
        }
    }

    [Fact]
    public async Task ReadAsync_EndsEarly_IsAFaultUnlessComplete()
    {
        string answer = Events(Begun, Chunk("""{"content":"y"}"""), Chunk("{}", "stop"));
        byte[] bytes = Encoding.UTF8.GetBytes(answer + Events($$$$"""{{{{{Head}}}},"choices":[],"usage":{"prompt_tokens":1}}""", "[DONE]"));
        int accepted = 0;
        for (int i = 0; i <= bytes.Length; i++)
        {
            try
            {
                Assert.Equal("xy", Assert.IsType<ChatCompletion>(await SendAsync([bytes[..i]])).Text);
                accepted++;
                Assert.True(i >= Encoding.UTF8.GetByteCount(answer) - 2, $"cut at {i}");
            }
            catch (LlmException e)
            {
                Assert.True(e.Kind is FailureKind.IncompleteResponse or FailureKind.InvalidResponse, e.Kind.ToString());
            }
        }

        Assert.Equal(bytes.Length - Encoding.UTF8.GetByteCount(answer) + 3, accepted);
    }

    [Fact]
    public async Task ReadAsync_ChoiceMissing_IsAFaultUnlessDone()
    {
        const string one = """{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}""";
        LlmRequest two = LlmRequest.FromJson("""{"model":"m","messages":[{"role":"user","content":"hi"}],"n":2,"stream":true}""");

        LlmException early = await Assert.ThrowsAsync<LlmException>(() => SendAsync([Encoding.UTF8.GetBytes(Events(one))], two));
        Assert.Equal(FailureKind.IncompleteResponse, early.Kind);
        Assert.IsType<ChatCompletion>(await SendAsync([Encoding.UTF8.GetBytes(Events(one, "[DONE]"))], two));
    }

    [Fact]
    public async Task ReadAsync_TextCompletion_IsAssembled()
    {
        string stream = Events(
            """{"id":"c","object":"text_completion","model":"m","choices":[{"text":"a","index":0,"logprobs":{"tokens":["a"],"token_logprobs":[null],"text_offset":[0]},"finish_reason":null}]}""",
            """{"id":"c","object":"text_completion","model":"m","choices":[{"text":"b","index":0,"logprobs":{"tokens":["b"],"token_logprobs":[-1],"text_offset":[1]},"finish_reason":"length"}],"usage":{"prompt_tokens":1}}""",
            "[DONE]");
        LlmRequest request = new() { Endpoint = Endpoints.Completions, Model = "m", Stream = true };
        LlmResponse response = await SendAsync([Encoding.UTF8.GetBytes(stream)], request);

        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse("""{"id":"c","object":"text_completion","model":"m","choices":[{"text":"ab","index":0,"logprobs":{"tokens":["a","b"],"token_logprobs":[null,-1],"text_offset":[0,1]},"finish_reason":"length"}],"usage":{"prompt_tokens":1}}"""),
                JsonNode.Parse(response.RawBody.Span)),
            response.Json.ToString());
    }

    [Theory]
    [InlineData("completed", null)]
    [InlineData("incomplete", null)]
    [InlineData("failed", FailureKind.ServerError)]
    [InlineData("error", FailureKind.RateLimited)]
    [InlineData("", FailureKind.IncompleteResponse)]
    public async Task ReadAsync_Responses_UsesTheLastEvent(string ending, FailureKind? kind)
    {
        string response = $$$$"""{"id":"r","object":"response","status":"{{{{ending}}}}","error":{{{{(ending == "failed" ? """{"code":"server_error","message":"x"}""" : "null")}}}},"output":[{"text":"aé"}],"usage":{"input_tokens":1,"output_tokens":2}}""";
        string[] last = ending switch
        {
            "" => [],
            "error" => ["""{"type":"error","code":"rate_limit_exceeded","message":"x","param":null}"""],
            _ => [$$$$"""{"type":"response.{{{{ending}}}}","sequence_number":3,"response":{{{{response}}}}}"""],
        };
        string stream = Events(["""{"type":"response.created","response":{"id":"r","status":"in_progress","error":null}}""", """{"type":"response.output_text.delta","delta":"a"}""", .. last]);
        LlmRequest request = LlmRequest.FromJson("""{"custom_id":"1","method":"POST","url":"/v1/responses","body":{"model":"m","input":"hi","stream":true}}""");
        if (kind is null)
        {
            LlmResponse whole = await SendAsync([Encoding.UTF8.GetBytes(stream)], request);
            Assert.Equal((response, 1L), (Encoding.UTF8.GetString(whole.RawBody.Span), whole.Usage!.PromptTokens));
        }
        else
        {
            Assert.Equal(kind, (await Assert.ThrowsAsync<LlmException>(() => SendAsync([Encoding.UTF8.GetBytes(stream)], request))).Kind);
        }
    }

    [Fact]
    public async Task ReadAsync_TooManyParts_IsAFault()
    {
        string choices = Events([.. Enumerable.Range(0, 1100).Select(i => $$$$"""{"choices":[{"index":{{{{i}}}},"delta":{},"finish_reason":"stop"}]}""")]);
        string calls = Events([.. Enumerable.Range(0, 1100).Select(i => Chunk($$$$"""{"tool_calls":[{"index":{{{{i}}}},"function":{"name":"f"}}]}"""))]);
        string members = Events([.. Enumerable.Range(0, 1100).Select(i => Chunk($$$$"""{"m{{{{i}}}}":1}"""))]);
        foreach (string stream in (string[])[choices, calls, members])
        {
            Assert.Equal(FailureKind.InvalidResponse, (await Assert.ThrowsAsync<LlmException>(() => SendAsync([Encoding.UTF8.GetBytes(stream)]))).Kind);
        }
    }

    private static string Events(params string[] data) => string.Concat(data.Select(d => $"data: {d}\n\n"));

    private static string Chunk(string delta, string? finishReason = null, string after = "}") =>
        $$$$"""{{{{{Head}}}},"choices":[{"index":0,"delta":{{{{delta}}}},"logprobs":null,"finish_reason":{{{{(finishReason is null ? "null" : $"\"{finishReason}\"")}}}}}]{{{{after}}}}""";

    private static string Whole(string message, string finishReason, string after = "}") =>
        $$$$"""{{{{{Body}}}},"choices":[{"index":0,"message":{{{{message}}}},"logprobs":null,"finish_reason":"{{{{finishReason}}}}"}]{{{{after}}}}""";

    private static async Task<LlmResponse> SendAsync(IEnumerable<byte[]> pieces, LlmRequest? request = null)
    {
        using var handler = new PiecesHandler(pieces);
        using var client = new HttpClient(handler);
        var provider = new OpenAIProvider("", "http://nowhere.invalid/v1");
        return await provider.MakeRequestAsync(client, request ?? LlmRequest.FromPrompt(null, "hi", "m") with { Stream = true }, TimeSpan.FromMinutes(1), Cancel);
    }

    private sealed class PiecesHandler(IEnumerable<byte[]> pieces) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(new PiecesStream(pieces)) });
    }
}
