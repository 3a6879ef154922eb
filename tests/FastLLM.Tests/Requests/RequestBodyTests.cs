using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace FastLLM.Tests.Requests;

/// <summary>What is sent is exactly what was set, and the temperature that was left alone.</summary>
public sealed class RequestBodyTests
{
    private const string Hi = """{"messages":[{"content":"hi","role":"user"}],"model":"m","temperature":0.7}""";

    [Fact]
    public void Create_Defaults_SendsModelMessagesAndTemperature()
    {
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", ["hi"]);

        Assert.Equal(Hi, Body(batch[0]));
        Assert.True(batch[0].TemperatureLeftAlone);
        Assert.Equal(Hi, Body(LlmRequest.FromPrompt("openai", "hi", "m")));
    }

    [Fact]
    public void Temperature_NullSendsNone_SetValueIsSent()
    {
        Assert.Equal("""{"messages":[{"content":"hi","role":"user"}],"model":"m"}""", Body(Created(temperature: null)));
        Assert.Equal("""{"messages":[{"content":"hi","role":"user"}],"model":"m","temperature":0}""", Body(Created(temperature: 0)));

        LlmRequest chosen = Created(temperature: 0.7);
        Assert.Equal(Hi, Body(chosen));
        Assert.False(chosen.TemperatureLeftAlone);
        Assert.False(Created(temperature: null).TemperatureLeftAlone);
    }

    [Fact]
    public void Create_ProviderDefaults_AreNotSent()
    {
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", ["hi"], topP: 1, n: 1, presencePenalty: 0, frequencyPenalty: 0, stream: false);
        batch.Chat.Completions.Create("m", ["hi"], topP: null, n: null, presencePenalty: null, frequencyPenalty: null);

        Assert.All(batch, request => Assert.Equal(Hi, Body(request)));
    }

    [Fact]
    public void Create_EveryParameter_IsSentByItsName()
    {
        var batch = new RequestBatch();
        batch.Chat.Completions.Create(
            "m", ["hi"], temperature: 0.25, topP: 0.5, n: 2, stop: "END", maxCompletionTokens: 7, presencePenalty: -1.5, frequencyPenalty: 2,
            logitBias: new Dictionary<string, double> { ["50256"] = -100, ["7"] = 0.5 }, user: "u",
            responseFormat: JsonNode.Parse("""{"type":"json_object"}"""), seed: long.MaxValue,
            tools: [JsonNode.Parse("""{"type":"function","function":{"name":"f"}}""")], toolChoice: "auto", stream: true,
            sample: 3, provider: "label", extra: new Dictionary<string, object?> { ["top_k"] = 40 });

        Assert.Equal(
            """{"frequency_penalty":2,"max_completion_tokens":7,"messages":[{"content":"hi","role":"user"}],"model":"m","presence_penalty":-1.5,"stop":"END","stream":true,"temperature":0.25,"top_p":0.5"""
            + ""","n":2,"logit_bias":{"50256":-100,"7":0.5},"user":"u","response_format":{"type":"json_object"},"seed":9223372036854775807,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","top_k":40}""",
            Body(batch[0]));
        Assert.Equal(3, batch[0].Sample);
        Assert.Equal("label", batch[0].Provider);
    }

    [Fact]
    public void Stop_OneIsAString_SeveralAreAnArray()
    {
        Assert.Contains("""
            "stop":"\n"
            """, Body(Created(stop: "\n")), StringComparison.Ordinal);
        Assert.Contains("""
            "stop":["\n"]
            """, Body(Created(stop: ["\n"])), StringComparison.Ordinal);
        Assert.Contains("""
            "stop":["","\t"]
            """, Body(Created(stop: ["", "\t"])), StringComparison.Ordinal);
        Assert.Equal(4, new[] { Created(stop: "\n"), Created(stop: ["\n"]), Created(stop: ["\t"]), Created(stop: null) }.Distinct().Count());
    }

    [Fact]
    public void BlankTexts_AreKept_InMessagesAndInputs()
    {
        Assert.Contains("\"content\":\"\"", Body(LlmRequest.FromPrompt(null, "", "m")), StringComparison.Ordinal);
        var batch = new RequestBatch();
        batch.Embeddings.Create("e", ["a", "", "b"]);
        batch.Embeddings.Create("e", ["a", "b"]);

        Assert.Equal("""{"input":["a","","b"],"model":"e"}""", Body(batch[0]));
        Assert.NotEqual(batch[0], batch[1]);
    }

    [Fact]
    public void Embeddings_SendNoTemperature_AndEveryExtraParameter()
    {
        var batch = new RequestBatch();
        batch.Embeddings.Create("e", "a", dimensions: 8, encodingFormat: "base64", user: "u", extra: new Dictionary<string, object?> { ["input_type"] = "query" });
        batch.Embeddings.Create("e", EmbeddingInput.FromTokens([1, 2]));
        batch.Embeddings.Create("e", EmbeddingInput.FromTokens([[1], [2, 3]]));

        Assert.Equal("""{"input":"a","model":"e","dimensions":8,"encoding_format":"base64","user":"u","input_type":"query"}""", Body(batch[0]));
        Assert.Equal("""{"input":[1,2],"model":"e"}""", Body(batch[1]));
        Assert.Equal("""{"input":[[1],[2,3]],"model":"e"}""", Body(batch[2]));
        Assert.All(batch, request => Assert.Equal("/v1/embeddings", request.Endpoint));
    }

    public static TheoryData<object?, string> Extras => new()
    {
        { "text", "\"text\"" },
        { "", "\"\"" },
        { true, "true" },
        { 0.1f, "0.1" },
        { 0.1d, "0.1" },
        { 1.0d, "1" },
        { 0.10m, "0.10" },
        { 3, "3" },
        { (byte)4, "4" },
        { ulong.MaxValue, "18446744073709551615" },
        { long.MinValue, "-9223372036854775808" },
        { JsonNode.Parse("""{"b":1.0,"a":[null]}"""), """{"b":1.0,"a":[null]}""" },
        { JsonDocument.Parse("""{"b" : 1e2}""").RootElement, """{"b" : 1e2}""" },
        { new[] { "a", "b" }, """["a","b"]""" },
        { new List<object?> { 1, null, "x", new[] { 1.5f } }, """[1,null,"x",[1.5]]""" },
        { new Dictionary<string, object?> { ["k"] = new Dictionary<string, int> { ["n"] = 1 } }, """{"k":{"n":1}}""" },
    };

    [Theory]
    [MemberData(nameof(Extras), DisableDiscoveryEnumeration = true)]
    public void ExtraParameter_OfAnyKind_IsSentAsItsJson(object? value, string json)
    {
        var batch = new RequestBatch();
        batch.Embeddings.Create("e", "a", extra: new Dictionary<string, object?> { ["x"] = value });

        Assert.Equal($$"""{"input":"a","model":"e","x":{{json}}}""", Body(batch[0]));
    }

    [Fact]
    public void ExtraParameter_Null_IsNotSent()
    {
        var batch = new RequestBatch();
        batch.Embeddings.Create("e", "a", extra: new Dictionary<string, object?> { ["x"] = null });

        Assert.Equal("""{"input":"a","model":"e"}""", Body(batch[0]));
    }

    [Fact]
    public void ExtraParameter_UnsupportedType_ThrowsWithName()
    {
        foreach (object value in (object[])[new object(), new DateTime(2026, 1, 1), 'c', double.NaN, float.PositiveInfinity, new[] { double.NaN }])
        {
            var batch = new RequestBatch();
            var error = Assert.ThrowsAny<ArgumentException>(() => batch.Chat.Completions.Create("m", ["hi"], extra: new Dictionary<string, object?> { ["odd"] = value }));
            Assert.Contains("odd", error.Message, StringComparison.Ordinal);
            Assert.Empty(batch);
        }
    }

    [Theory]
    [InlineData("model")]
    [InlineData("temperature")]
    [InlineData("stream")]
    [InlineData("max_completion_tokens")]
    [InlineData("seed")]
    public void ExtraParameter_NameOfAParameter_Throws(string name)
    {
        var batch = new RequestBatch();
        var error = Assert.Throws<ArgumentException>(() => batch.Chat.Completions.Create("m", ["hi"], seed: 1, extra: new Dictionary<string, object?> { [name] = 1 }));

        Assert.Contains($"\"{name}\"", error.Message, StringComparison.Ordinal);
        Assert.Empty(batch);
    }

    [Fact]
    public void AdditionalParameters_NameOfAProperty_Throws()
    {
        var parameters = new Dictionary<string, JsonElement> { ["top_p"] = JsonDocument.Parse("1").RootElement };

        Assert.Contains("\"top_p\"", Assert.Throws<ArgumentException>(() => new LlmRequest { AdditionalParameters = parameters }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AdditionalParameters_AreCopied()
    {
        var parameters = new Dictionary<string, JsonElement> { ["top_k"] = JsonDocument.Parse("1").RootElement };
        var request = new LlmRequest { Model = "m", AdditionalParameters = parameters };
        parameters["top_k"] = JsonDocument.Parse("2").RootElement;

        Assert.Contains("\"top_k\":1", Body(request), StringComparison.Ordinal);
    }

    [Fact]
    public void LoneSurrogate_AnyText_Throws()
    {
        const string lone = "a\ud83d";
        var one = JsonDocument.Parse("1").RootElement;
        (string Where, Action Act)[] places =
        [
            ("content", () => Add(new() { Messages = [lone] })),
            ("part", () => Add(new() { Messages = [Message.User([ContentPart.FromText(lone)])] })),
            ("image", () => Add(new() { Messages = [Message.User([ContentPart.FromImage("data:" + lone)])] })),
            ("name", () => Add(new() { Messages = [Message.User("x") with { Name = lone }] })),
            ("tool call id", () => Add(new() { Messages = [Message.Tool(lone, "x")] })),
            ("arguments", () => Add(new() { Messages = [Message.Assistant(null) with { ToolCalls = [new ToolCall("1", new FunctionCall("f", lone))] }] })),
            ("message member", () => Add(new() { Messages = [Message.User("x") with { AdditionalProperties = new Dictionary<string, JsonElement> { [lone] = one } }] })),
            ("model", () => Add(new() { Model = lone })),
            ("stop", () => Add(new() { Stop = lone })),
            ("stops", () => Add(new() { Stop = ["x", lone] })),
            ("input", () => Add(new() { Input = lone })),
            ("inputs", () => Add(new() { Input = ["x", lone] })),
            ("parameter name", () => Add(new() { AdditionalParameters = new Dictionary<string, JsonElement> { [lone] = one } })),
            ("extra", () => Extra("x", lone)),
            ("extra's name", () => Extra(lone, 1)),
            ("extra's member", () => Extra("x", new Dictionary<string, object?> { [lone] = 1 })),
            ("node", () => Extra("x", JsonValue.Create(lone))),
            ("node's member", () => Extra("x", new JsonObject { ["deep"] = new JsonArray(new JsonObject { [lone] = 1 }) })),
            ("node's text", () => Extra("x", new JsonObject { ["deep"] = new JsonArray(lone) })),
            ("node read from JSON", () => Extra("x", JsonNode.Parse("""["\ud800"]"""))),
            ("tools", () => new RequestBatch().Chat.Completions.Create("m", ["x"], tools: [lone])),
        ];

        string[] accepted = [.. places.Where(place => Record.Exception(place.Act) is not ArgumentException).Select(place => place.Where)];
        Assert.Empty(accepted);

        static void Add(LlmRequest request) => new RequestBatch().Add(request);
        static void Extra(string name, object? value) => new RequestBatch().Chat.Completions.Create("m", ["x"], extra: new Dictionary<string, object?> { [name] = value });
    }

    [Fact]
    public void SurrogatePairsAndControlCharacters_AreSent()
    {
        const string text = "😀 <b> & ' \u2028 \u0000 \u007f é";
        using JsonDocument body = JsonDocument.Parse(Body(LlmRequest.FromPrompt(null, text, "m")));

        Assert.Equal(text, body.RootElement.GetProperty("messages")[0].GetProperty("content").GetString());
    }

    [Fact]
    public void With_RebuildsBodyAndKey()
    {
        LlmRequest first = LlmRequest.FromPrompt("openai", "hi", "m");
        RequestKey key = first.Key;
        LlmRequest second = first with { Model = "n", Temperature = 1.0 };

        Assert.Equal("""{"messages":[{"content":"hi","role":"user"}],"model":"n","temperature":1}""", Body(second));
        Assert.NotEqual(key, second.Key);
        Assert.Equal(key, first.Key);
        Assert.Equal(Hi, Body(first));
        Assert.Equal(first, second with { Model = "m", Temperature = 0.7 });
    }

    [Fact]
    public void With_RequestFromJson_KeepsOtherFields()
    {
        LlmRequest read = LlmRequest.FromJson("""{"model":"m","messages":[{"role":"user","content":"hi","cache_control":{"type":"x"}}],"top_k":5,"stop":["\n"],"max_completion_tokens":9}""");

        Assert.Equal(
            """{"max_completion_tokens":9,"messages":[{"content":"hi","role":"user","cache_control":{"type":"x"}}],"model":"n","stop":["\n"],"top_k":5}""",
            Body(read with { Model = "n" }));
        Assert.Equal(read.Key, (read with { Provider = "label" }).Key);
    }

    [Fact]
    public void Messages_AreWrittenInTheApiFormat()
    {
        var request = new LlmRequest
        {
            Model = "m",
            Temperature = null,
            Messages =
            [
                Message.System("s"),
                Message.Developer("d"),
                Message.User([ContentPart.FromText("t"), ContentPart.FromImage("http://x/y.png", "low"), ContentPart.FromAudio([1, 2], "wav")]) with { Name = "n" },
                Message.Assistant(null) with { ToolCalls = [new ToolCall("c1", new FunctionCall("f", "{\"a\":1}"))] },
                Message.Assistant(null),
                Message.Tool("c1", "42"),
                new Message("function", "old") { Name = "f" },
            ],
        };

        Assert.Equal(
            """{"messages":[{"content":"s","role":"system"},{"content":"d","role":"developer"},"""
            + """{"content":[{"text":"t","type":"text"},{"image_url":{"detail":"low","url":"http://x/y.png"},"type":"image_url"},{"input_audio":{"data":"AQI=","format":"wav"},"type":"input_audio"}],"name":"n","role":"user"},"""
            + """{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"a\":1}","name":"f"},"id":"c1","type":"function"}]},"""
            + """{"content":null,"role":"assistant"},{"content":"42","role":"tool","tool_call_id":"c1"},{"content":"old","name":"f","role":"function"}],"model":"m"}""",
            Body(request));
    }

    [Fact]
    public void Body_ConcurrentThreads_GetTheSame()
    {
        LlmRequest[] requests = [.. Enumerable.Range(0, 200).Select(i => LlmRequest.FromPrompt(null, $"question {i}", "m"))];
        var seen = new (string Body, RequestKey Key)[requests.Length * 4];
        Parallel.For(0, seen.Length, i => seen[i] = (Body(requests[i / 4]), requests[i / 4].Key));

        Assert.All(Enumerable.Range(0, seen.Length), i => Assert.Equal((Body(requests[i / 4]), requests[i / 4].Key), seen[i]));
    }

    private static string Body(LlmRequest request) => Encoding.UTF8.GetString(request.Body.Span);

    private static LlmRequest Created(double? temperature = double.NaN, StopSequences? stop = null)
    {
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", ["hi"], temperature: temperature, stop: stop);
        return batch[0];
    }
}
