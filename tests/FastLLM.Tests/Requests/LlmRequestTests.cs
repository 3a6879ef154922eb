using System.Reflection;
using System.Text;
using System.Text.Json;
using Xunit;

namespace FastLLM.Tests.Requests;

public sealed class LlmRequestTests
{
    // Another value than the default for each type that a property has.
    private static readonly Dictionary<Type, object> s_samples = new()
    {
        [typeof(string)] = "/v1/text",
        [typeof(double?)] = 0.5,
        [typeof(int?)] = 7,
        [typeof(int)] = 7,
        [typeof(bool)] = true,
        [typeof(IReadOnlyList<Message>)] = new[] { Message.User("hi") },
        [typeof(EmbeddingInput)] = EmbeddingInput.FromString("hi"),
        [typeof(StopSequences)] = StopSequences.FromString("."),
        [typeof(IReadOnlyDictionary<string, JsonElement>)] = new Dictionary<string, JsonElement> { ["n"] = JsonElement.Parse("2") },
    };

    public static TheoryData<string> Properties => [.. Settable.Select(property => property.Name)];

    private static IEnumerable<PropertyInfo> Settable => typeof(LlmRequest).GetProperties().Where(property => property.CanWrite);

    [Theory]
    [MemberData(nameof(Properties))]
    public void With_EveryProperty_IsCopied(string name)
    {
        var request = new LlmRequest();
        PropertyInfo property = typeof(LlmRequest).GetProperty(name)!;
        property.SetValue(request, s_samples[property.PropertyType]);

        LlmRequest copy = request with { };

        Assert.NotEqual(property.GetValue(new LlmRequest()), property.GetValue(copy));
        Assert.Equal(Settable.Select(each => each.GetValue(request)), Settable.Select(each => each.GetValue(copy)));
        Assert.Equal((request.Key, request.TemperatureLeftAlone), (copy.Key, copy.TemperatureLeftAlone));
    }

    [Fact]
    public void Fields_AllThatIsSet_IsInOneValue()
    {
        IEnumerable<string> fields = typeof(LlmRequest).GetFields(BindingFlags.Instance | BindingFlags.NonPublic).Select(field => field.Name);

        // The others are derived from _fields, and a copy starts without them.
        Assert.Equal(["<IsVerbatim>k__BackingField", "_body", "_fields", "_key", "_prepared", "_unread"], fields.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void With_PreparedOrVerbatimRequest_HasItsOwnBodyAndKey()
    {
        foreach (LlmRequest request in (LlmRequest[])[LlmRequest.FromPrompt("p", "hi", "m"), LlmRequest.FromJson(Chat)])
        {
            RequestKey key = request.Key;
            LlmRequest copy = request with { Model = "other" };

            Assert.NotEqual(key, copy.Key);
            Assert.Contains("other", Text(copy), StringComparison.Ordinal);
            Assert.False(copy.IsVerbatim);
        }
    }

    private const string Chat = """{ "messages" : [ {"role":"user", "content":"h\u0069"} ], "model":"m", "temperature": 0.70 , "top_p":1, "stop":null }""";

    [Fact]
    public void FromJson_IsSentByteForByte()
    {
        LlmRequest request = LlmRequest.FromJson(Chat);

        Assert.Equal(Chat, Text(request));
        Assert.False(request.TemperatureLeftAlone);
        Assert.Equal(("m", "hi", 0.7, 1.0), (request.Model, request.Messages[0].Content!.ToString(), request.Temperature, request.TopP));
        Assert.Null(LlmRequest.FromJson("""{"model":"m","messages":[]}""").Temperature);
    }

    [Fact]
    public void FromJson_StringBytesAndElement_AreEqual()
    {
        using JsonDocument document = JsonDocument.Parse("[" + Chat + "]");
        LlmRequest[] all = [LlmRequest.FromJson(Chat), LlmRequest.FromJson(Encoding.UTF8.GetBytes(Chat)), LlmRequest.FromJson(document.RootElement[0])];

        Assert.All(all, request => Assert.Equal(Chat, Text(request)));
        Assert.Single(all.Distinct());
    }

    [Fact]
    public void FromJson_ByteOrderMark_IsRemoved()
    {
        Assert.Equal(Chat, Text(LlmRequest.FromJson("\uFEFF" + Chat)));
        Assert.Equal(Chat, Text(LlmRequest.FromJson([.. "\uFEFF"u8, .. Encoding.UTF8.GetBytes(Chat)])));
    }

    [Fact]
    public void FromJson_ProviderString_IsTheLabel()
    {
        LlmRequest labelled = LlmRequest.FromJson("""{"provider":"openai","model":"m","messages":[]}""");
        Assert.Equal("openai", labelled.Provider);
        Assert.Equal("""{"model":"m","messages":[]}""", Text(labelled));

        const string routed = """{"provider":{"order":["a"]},"model":"m","messages":[]}""";
        Assert.Null(LlmRequest.FromJson(routed).Provider);
        Assert.Equal(routed, Text(LlmRequest.FromJson(routed)));
    }

    [Fact]
    public void FromJson_ReadsABatchLine()
    {
        LlmRequest request = LlmRequest.FromJson("""{"custom_id":"a","method":"POST","url":"/v1/embeddings","body": {"model":"e", "input":"x"} ,"fastllm":{"sample":2}}""");

        Assert.Equal(("a", "/v1/embeddings", """{"model":"e", "input":"x"}""", 2), (request.CustomId, request.Endpoint, Text(request), request.Sample));
        Assert.Equal("x", Assert.Single(request.Input!));
    }

    [Fact]
    public void FromJson_Input_IsSentToEmbeddings()
    {
        Assert.Equal("/v1/embeddings", LlmRequest.FromJson("""{"model":"e","input":["a"]}""").Endpoint);
        Assert.Equal("/v1/chat/completions", LlmRequest.FromJson("""{"model":"e","messages":[{"role":"user","content":[{"type":"text","text":"input"}]}]}""").Endpoint);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("""{"model":"m","messages":[]}x""")]
    [InlineData("""{"model":"m","model":"n","messages":[]}""")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}""")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"\ud800"}]}""")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":7}]}""")]
    [InlineData("""{"model":"m","messages":"hi"}""")]
    [InlineData("""{"model":7,"messages":[]}""")]
    [InlineData("""{"model":"m","messages":[],"temperature":"hot"}""")]
    [InlineData("""{"model":"m","messages":[],"max_completion_tokens":1.5}""")]
    public void FromJson_NotARequest_Throws(string json)
    {
        Assert.ThrowsAny<JsonException>(() => LlmRequest.FromJson(json));
    }

    [Fact]
    public void FromJson_InvalidUnicode_Throws()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Chat);
        bytes[Array.IndexOf(bytes, (byte)'m')] = 0xFF;

        Assert.ThrowsAny<JsonException>(() => LlmRequest.FromJson(bytes));
        Assert.Throws<ArgumentException>(() => LlmRequest.FromJson("{\"model\":\"\ud800\",\"messages\":[]}"));
    }

    [Theory]
    [InlineData("\"temperature\":2.5", "Temperature", "2.5", "0 and 2")]
    [InlineData("\"temperature\":-0.1", "Temperature", "-0.1", "0 and 2")]
    [InlineData("\"temperature\":1e400", "Temperature", "", "0 and 2")]
    [InlineData("\"top_p\":1.01", "TopP", "1.01", "0 and 1")]
    [InlineData("\"presence_penalty\":-3", "PresencePenalty", "-3", "-2 and 2")]
    [InlineData("\"frequency_penalty\":2.01", "FrequencyPenalty", "2.01", "-2 and 2")]
    [InlineData("\"max_completion_tokens\":0", "MaxCompletionTokens", "0", "at least 1")]
    public void FromJson_OutOfRange_ThrowsWithFieldValueAndRange(string member, string field, string value, string range)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => LlmRequest.FromJson($$"""{"model":"m","messages":[],{{member}}}"""));

        Assert.Equal(field, error.ParamName);
        Assert.Contains(value, error.Message, StringComparison.Ordinal);
        Assert.Contains(range, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void FromJson_UnknownRole_ThrowsWithKnownRoles()
    {
        var error = Assert.Throws<ArgumentException>(() => LlmRequest.FromJson("""{"model":"m","messages":[{"role":"robot","content":"x"}]}"""));

        Assert.All((string[])["robot", "system", "developer", "user", "assistant", "function", "tool"], role => Assert.Contains(role, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Key_EqualRequests_IsTheSame()
    {
        var batch = new RequestBatch();
        string id = batch.Chat.Completions.Create("m", [Message.System("s"), "hi"], temperature: 0.5, maxCompletionTokens: 5, stop: ["\n"], extra: new Dictionary<string, object?> { ["top_k"] = 3, ["min_p"] = 0.1f });
        const string body = """{"min_p": 1e-1, "top_k":3.0, "model":"m","stream":false,"user":null,"messages":[{"role":"system","content":"s"},{"content":"\u0068i","role":"user"}],"stop":["\n"],"temperature":0.50,"max_completion_tokens":5}""";
        const string line = """{"custom_id":"x","method":"POST","url":"/v1/chat/completions","body":""" + body + "}";
        var built = new LlmRequest
        {
            Provider = "label",
            Model = "m",
            Messages = [Message.System("s"), Message.FromJson("""{"role":"user","content":"hi"}""")],
            Temperature = 0.5,
            MaxCompletionTokens = 5,
            Stop = ["\n"],
            AdditionalParameters = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>("""{"top_k":3,"min_p":0.1}"""),
        };
        RequestBatch file = await RequestBatch.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(line + "\n" + body)), TestContext.Current.CancellationToken);

        Assert.Equal(id, RequestKey.Compute("/v1/chat/completions", Encoding.UTF8.GetBytes(body)).ToString());
        Assert.Equal([id, id, id, id, id], new[] { built, LlmRequest.FromJson(body), LlmRequest.FromJson(line), file[0], file[1] }.Select(r => r.Key.ToString()));
    }

    [Fact]
    public void Key_EqualEmbeddings_IsTheSame()
    {
        var batch = new RequestBatch();
        string id = batch.Embeddings.Create("e", ["a", "b"]);

        Assert.Equal(id, new LlmRequest { Model = "e", Input = ["a", "b"] }.Key.ToString());
        Assert.Equal(id, LlmRequest.FromJson("""{"input":["a","b"],"model":"e"}""").Key.ToString());
    }

    [Fact]
    public void Equality_IsByKey_NotByLabelOrOwnId()
    {
        LlmRequest request = LlmRequest.FromPrompt("a", "hi", "m");
        LlmRequest same = request with { Provider = "b", CustomId = "c", Stream = true };

        Assert.True(request == same);
        Assert.Equal(request.GetHashCode(), same.GetHashCode());
        Assert.True(request != request with { Sample = 1 });
        Assert.False(request.Equals(null));
    }

    [Fact]
    public void Sample_ChangesTheKey_AndIsNeverSent()
    {
        LlmRequest request = LlmRequest.FromPrompt("a", "hi", "m");
        LlmRequest second = request with { Sample = 2 };

        Assert.Equal(Text(request), Text(second));
        Assert.Equal(RequestKey.Compute(request.Endpoint, request.Body.Span, 2), second.Key);
        Assert.Equal("Sample", Assert.Throws<ArgumentOutOfRangeException>(() => request with { Sample = -1 }).ParamName);
    }

    [Fact]
    public void ToString_PrintsModelAndKey_NeverTheContent()
    {
        LlmRequest request = LlmRequest.FromPrompt("label", "my secret prompt", "gpt-x");

        Assert.Equal($"gpt-x {request.Key}", request.ToString());
        Assert.DoesNotContain("secret", Message.User("my secret prompt").ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("v1/chat")]
    [InlineData("http://evil/v1")]
    [InlineData("//evil/v1")]
    [InlineData("/v1/../admin")]
    [InlineData("/v1/x?y=1")]
    [InlineData("/v1/x#y")]
    [InlineData("/v1/%2e%2e/x")]
    [InlineData("/v1\\x")]
    [InlineData("/v1/x y")]
    [InlineData("/v1/x\r\n")]
    [InlineData("/é")]
    public void Endpoint_IsAPlainPath(string path)
    {
        Assert.Equal("Endpoint", Assert.Throws<ArgumentException>(() => new LlmRequest { Endpoint = path }).ParamName);
    }

    private static string Text(LlmRequest request) => Encoding.UTF8.GetString(request.Body.Span);
}
