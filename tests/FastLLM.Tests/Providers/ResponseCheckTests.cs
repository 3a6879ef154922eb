using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using FastLLM.Providers;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>HTTP 200 alone is no answer: a body must be whole, say that it is finished, and hold no error.</summary>
public sealed class ResponseCheckTests
{
    private const string Chat = """{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi {\"}]"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}""";
    private const string Embeddings = """{"object":"list","data":[{"index":0,"embedding":[0.5,-1e-3]},{"index":1,"embedding":"AAAAPw=="}],"model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}""";

    public static TheoryData<string, string, string> Good => new()
    {
        { "chat", "/v1/chat/completions", Chat },
        { "chat after keep-alive blank lines", "/v1/chat/completions", "\n\n  \r\n" + Chat + "\n" },
        { "ended by length, empty", "/v1/chat/completions", """{"choices":[{"message":{"content":""},"finish_reason":"length"}]}""" },
        { "filtered, without a message", "/v1/chat/completions", """{"choices":[{"index":0,"finish_reason":"content_filter"}]}""" },
        { "an open finish reason", "/v1/chat/completions", """{"choices":[{"message":{"content":"x"},"finish_reason":"eos"}]}""" },
        { "null error and null usage", "/v1/chat/completions", """{"error":null,"usage":null,"choices":[{"message":{},"finish_reason":"stop"}]}""" },
        { "finish reason before the message", "/v1/chat/completions", """{"choices":[{"finish_reason":"stop","message":{"content":"x"}},{"finish_reason":"stop","message":{"content":"y"}}]}""" },
        { "an error inside a message is text", "/v1/chat/completions", """{"choices":[{"message":{"content":"{\"error\":1}","error":{}},"finish_reason":"stop"}]}""" },
        { "names that are no Unicode", "/v1/chat/completions", """{"\ud800":1,"choices":[{"\udc00":1,"message":{},"finish_reason":"\ud800"}],"usage":{"\ud800":1}}""" },
        { "names written in escapes", "/v1/chat/completions", """{"\u0063hoices":[{"message":{},"finish_re\u0061son":"stop"}]}""" },
        { "text completion", "/v1/completions", """{"choices":[{"text":"x","finish_reason":"stop"}]}""" },
        { "embeddings", "/v1/embeddings", Embeddings },
        { "responses", "/v1/responses", """{"id":"r","status":"completed","error":null,"output":[]}""" },
        { "responses cut by the token limit", "/v1/responses", """{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}""" },
        { "an endpoint passed through", "/v1/moderations", """{"results":[]}""" },
    };

    public static TheoryData<string, string, string, FailureKind> Bad => new()
    {
        { "empty", "/v1/chat/completions", "", FailureKind.InvalidResponse },
        { "blank", "/v1/chat/completions", " \n ", FailureKind.InvalidResponse },
        { "null", "/v1/chat/completions", "null", FailureKind.InvalidResponse },
        { "a page", "/v1/chat/completions", "<html>ok</html>", FailureKind.InvalidResponse },
        { "a number", "/v1/chat/completions", "NaN", FailureKind.InvalidResponse },
        { "an array", "/v1/chat/completions", "[]", FailureKind.InvalidResponse },
        { "NaN inside", "/v1/chat/completions", """{"choices":NaN}""", FailureKind.InvalidResponse },
        { "too deep", "/v1/chat/completions", "{\"a\":" + new string('[', 1000) + new string(']', 1000) + "}", FailureKind.InvalidResponse },
        { "two bodies", "/v1/chat/completions", Chat + Chat, FailureKind.InvalidResponse },
        { "a control character", "/v1/chat/completions", Chat.Replace("hi", "h\u0001i", StringComparison.Ordinal), FailureKind.InvalidResponse },
        { "cut in a text", "/v1/chat/completions", Chat[..(Chat.IndexOf("hi", StringComparison.Ordinal) + 1)], FailureKind.IncompleteResponse },
        { "empty object", "/v1/chat/completions", "{}", FailureKind.IncompleteResponse },
        { "no choices", "/v1/chat/completions", """{"id":"x","choices":[]}""", FailureKind.IncompleteResponse },
        { "null choices", "/v1/chat/completions", """{"choices":null}""", FailureKind.IncompleteResponse },
        { "no finish reason", "/v1/chat/completions", """{"choices":[{"message":{"content":"x"}}]}""", FailureKind.IncompleteResponse },
        { "null finish reason", "/v1/chat/completions", """{"choices":[{"message":{"content":"x"},"finish_reason":null}]}""", FailureKind.IncompleteResponse },
        { "one of two unfinished", "/v1/chat/completions", """{"choices":[{"message":{},"finish_reason":"stop"},{"message":{},"finish_reason":null}]}""", FailureKind.IncompleteResponse },
        { "choices of another kind", "/v1/chat/completions", """{"choices":["x"]}""", FailureKind.IncompleteResponse },
        { "DeepSeek gave up", "/v1/chat/completions", """{"choices":[{"message":{},"finish_reason":"insufficient_system_resource"}]}""", FailureKind.IncompleteResponse },
        { "OpenRouter gave up", "/v1/chat/completions", """{"choices":[{"message":{},"finish_reason":"error"}]}""", FailureKind.IncompleteResponse },
        { "embeddings for a chat", "/v1/chat/completions", Embeddings, FailureKind.IncompleteResponse },
        { "a chat for embeddings", "/v1/embeddings", Chat, FailureKind.IncompleteResponse },
        { "no data", "/v1/embeddings", """{"data":[]}""", FailureKind.IncompleteResponse },
        { "embedding null", "/v1/embeddings", """{"data":[{"index":0,"embedding":null}]}""", FailureKind.IncompleteResponse },
        { "embedding without numbers", "/v1/embeddings", """{"data":[{"index":0,"embedding":[]}]}""", FailureKind.IncompleteResponse },
        {
            "the second embedding null", "/v1/embeddings", """{"data":[{"embedding":[0.1]},{"index":1,"embedding":null}]}""",
            FailureKind.IncompleteResponse
        },
        { "data of models", "/v1/embeddings", """{"data":[{"id":"m","object":"model"}]}""", FailureKind.IncompleteResponse },
        { "responses in progress", "/v1/responses", """{"status":"in_progress"}""", FailureKind.IncompleteResponse },
        { "responses without status", "/v1/responses", """{"output":[]}""", FailureKind.IncompleteResponse },
        { "responses failed", "/v1/responses", """{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"}}""", FailureKind.RateLimited },
        { "responses failed without a word", "/v1/responses", """{"status":"failed","error":null}""", FailureKind.ServerError },
        { "OpenRouter's error", "/v1/chat/completions", """{"error":{"code":502,"message":"x","metadata":{"error_type":"provider_unavailable"}},"id":"gen-1"}""", FailureKind.ServerError },
        { "an error beside choices", "/v1/chat/completions", """{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"error":{"code":429,"message":"x"}}""", FailureKind.RateLimited },
        { "Ollama's error", "/v1/chat/completions", """{"error":"model runner has stopped"}""", FailureKind.ServerError },
        { "Gemini's array", "/v1/chat/completions", """[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]""", FailureKind.RateLimited },
        { "Mistral's flat form", "/v1/chat/completions", """{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}""", FailureKind.RateLimited },
        { "an error where all is passed through", "/v1/moderations", """{"error":{"message":"x"}}""", FailureKind.ServerError },
    };

    [Theory]
    [MemberData(nameof(Good))]
    public void Check_FinishedBody_IsAccepted(string name, string endpoint, string body)
    {
        Assert.NotEmpty(name);
        Assert.Null(Check(endpoint, Encoding.UTF8.GetBytes(body)));
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void Check_UnfinishedBody_IsAFailureWithTheBody(string name, string endpoint, string body, FailureKind kind)
    {
        Assert.NotEmpty(name);
        LlmException? failure = Check(endpoint, Encoding.UTF8.GetBytes(body));

        Assert.Equal(kind, failure?.Kind);
        Assert.Equal(200, failure!.StatusCode);
        Assert.Equal(body[..Math.Min(body.Length, 2048)], failure.Body);
        Assert.True(failure.MaybeBilled);
    }

    [Theory]
    [InlineData("/v1/chat/completions", Chat)]
    [InlineData("/v1/embeddings", Embeddings)]
    [InlineData("/v1/responses", """{"id":"r","status":"completed","output":[{"a":[1,{}]}]}""")]
    [InlineData("/v1/moderations", """{"results":[{"a":"}"}]}""")]
    public void Check_AnyCutOfABody_IsRejected(string endpoint, string body)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        for (int length = 0; length < bytes.Length; length++)
        {
            LlmException? failure = Check(endpoint, bytes[..length]);
            Assert.True(failure?.Kind is FailureKind.IncompleteResponse or FailureKind.InvalidResponse, $"accepted {length} of {bytes.Length} bytes");
        }

        Assert.Null(Check(endpoint, bytes));
    }

    [Fact]
    public void Check_AnyBytes_NeverThrows()
    {
        string[] pieces = ["{", "}", "[", "]", ",", ":", "\"choices\":", "\"usage\":", "\"data\":", "\"error\":", "\"status\":", "\"finish_reason\":", "\"message\":", "\"embedding\":", "\"stop\"", "null", "1", "{}", "[]", "\"\\ud800\""];
        Gen<byte[]> nearly = Gen.Elements(pieces).ListOf().Select(list => Encoding.UTF8.GetBytes("{" + string.Concat(list) + "}"));
        Gen<byte[]> bytes = Gen.OneOf(ArbMap.Default.GeneratorFor<byte[]>().Select(b => b ?? []), nearly);

        FsCheck.Check.One(Config.QuickThrowOnFailure.WithMaxTest(3000), Prop.ForAll(bytes.ToArbitrary(), body => Check("/v1/chat/completions", body) is null or { StatusCode: 200 }));
    }

    public static TheoryData<string, string, long[]?> Usages => new()
    {
        { "OpenAI", """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"accepted_prediction_tokens":0}}""", [10, 5, 15, 4, 3] },
        { "without a total", """{"prompt_tokens":10,"completion_tokens":5}""", [10, 5, 15, 0, 0] },
        { "embeddings", """{"prompt_tokens":10,"total_tokens":10}""", [10, 0, 10, 0, 0] },
        { "vLLM's null details", """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":null,"completion_tokens_details":null}""", [10, 5, 15, 0, 0] },
        { "DeepSeek", """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}""", [10, 5, 15, 8, 0] },
        { "Anthropic, cached tokens beside the input", """{"input_tokens":10,"output_tokens":5,"cache_creation_input_tokens":3,"cache_read_input_tokens":100}""", [113, 5, 118, 100, 0] },
        { "a proxy's Anthropic, cached tokens inside the prompt", """{"prompt_tokens":110,"completion_tokens":5,"total_tokens":115,"cache_creation_input_tokens":0,"cache_read_input_tokens":100}""", [110, 5, 115, 100, 0] },
        { "responses", """{"input_tokens":10,"output_tokens":5,"total_tokens":15,"input_tokens_details":{"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":3}}""", [10, 5, 15, 4, 3] },
        { "Gemini without completion tokens", """{"prompt_tokens":10,"total_tokens":10}""", [10, 0, 10, 0, 0] },
        { "nulls", """{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}""", [0, 0, 0, 0, 0] },
        { "negative", """{"prompt_tokens":-1,"completion_tokens":5,"total_tokens":-1}""", [0, 5, 5, 0, 0] },
        { "fractions and texts", """{"prompt_tokens":1.5,"completion_tokens":"5","total_tokens":{"a":[1]}}""", [0, 0, 0, 0, 0] },
        { "beyond all reason", """{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}""", [0, 0, 0, 0, 0] },
        { "empty", "{}", [0, 0, 0, 0, 0] },
        { "null", "null", null },
        { "a number", "7", null },
        { "a list", "[{\"prompt_tokens\":1}]", null },
    };

    [Theory]
    [MemberData(nameof(Usages))]
    public void Usage_EveryProvidersFormat_IsRead(string name, string usage, long[]? counts)
    {
        Assert.NotEmpty(name);
        Usage? read = LlmResponse.FromBody(Encoding.UTF8.GetBytes($$"""{"usage":{{usage}},"choices":[{"message":{},"finish_reason":"stop"}]}""")).Usage;

        Assert.Equal(counts, read is null ? null : [read.PromptTokens, read.CompletionTokens, read.TotalTokens, read.CachedTokens, read.ReasoningTokens]);
    }

    [Fact]
    public void Usage_Missing_IsNull()
    {
        Assert.Null(LlmResponse.FromBody("{\"choices\":[]}"u8.ToArray()).Usage);
    }

    [Fact]
    public void Check_StreamThatWasNotRequested_NamesTheOption()
    {
        using var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("", new MediaTypeHeaderValue("text/event-stream")) };

        LlmException? failure = ResponseCheck.Check(response, "data: {}\n\ndata: [DONE]\n\n"u8.ToArray(), "/v1/chat/completions", attempt: null, out _);

        Assert.Equal(FailureKind.InvalidResponse, failure?.Kind);
        Assert.Contains("--stream auto", failure!.Message, StringComparison.Ordinal);
    }

    private static LlmException? Check(string endpoint, byte[] body)
    {
        using var response = new HttpResponseMessage(HttpStatusCode.OK);
        return ResponseCheck.Check(response, body, endpoint, attempt: null, out _);
    }
}
