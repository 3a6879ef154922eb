using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Xunit;

namespace FastLLM.Tests.Requests;

public sealed class ObjectBodyTests
{
    private const string Json = """{"model":"m","messages":[{"role":"user","content":"Hé \"you\""}],"temperature":0.5,"tools":[{"type":"function"}],"n":2}""";

    private static readonly JsonNode s_tool = JsonNode.Parse("""{"type":"function"}""")!;

    public static TheoryData<object> Bodies =>
    [
        new { model = "m", messages = new[] { new { role = "user", content = "Hé \"you\"" } }, temperature = 0.5, tools = new[] { s_tool }, n = 2 },
        new { model = "m", messages = new List<Message> { "Hé \"you\"" }, temperature = 0.5m, tools = new[] { new { type = "function" } }, n = (long?)2, top_p = (double?)null },
        new Dictionary<string, object?> { ["model"] = "m", ["messages"] = new object[] { new { role = "user", content = "Hé \"you\"" } }, ["temperature"] = 0.5f, ["tools"] = new[] { s_tool }, ["n"] = 2 },
        new Own("m", ["Hé \"you\""], 0.5, [s_tool]) { N = 2 },
        JsonNode.Parse(Json)!,
        JsonDocument.Parse(Json).RootElement,
        LlmRequest.FromJson(Json),
    ];

    [Theory]
    [MemberData(nameof(Bodies), DisableDiscoveryEnumeration = true)]
    public void FromObject_IsTheRequestOfItsJson(object body)
    {
        LlmRequest request = LlmRequest.FromObject(body);

        Assert.Equal(LlmRequest.FromJson(Json).Key, request.Key);
        Assert.Equal(("m", 0.5, "Hé \"you\""), (request.Model, request.Temperature, request.Messages[0].Content!.ToString()));
        Assert.Equal(request.Key.ToString(), Assert.Single(RequestBatch.From([body])).Key.ToString());
    }

    [Fact]
    public void FromDictionary_TakesMessagesPartsAndALabel()
    {
        var body = new Dictionary<string, object?>
        {
            ["provider"] = "label", ["model"] = "m", ["messages"] = new object[] { Message.System("Be brief."), new Dictionary<string, object?> { ["role"] = "user", ["content"] = new[] { ContentPart.FromText("Hi") } } },
        };

        LlmRequest request = LlmRequest.FromDictionary(body);
        string id = new RequestBatch().Add(body);

        Assert.Equal(("label", 2, "Hi"), (request.Provider, request.Messages.Count, request.Messages[1].Content!.ToString()));
        Assert.Equal(request.Key.ToString(), id);
        Assert.DoesNotContain("label", System.Text.Encoding.UTF8.GetString(request.Body.Span), StringComparison.Ordinal);
        Assert.DoesNotContain("temperature", System.Text.Encoding.UTF8.GetString(request.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public void Message_FromDictionary_IsThatOfItsJson() => Assert.Equal(
        Message.FromJson("""{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"""),
        Message.FromDictionary(new Dictionary<string, object?>
        {
            ["role"] = "assistant", ["content"] = null,
            ["tool_calls"] = new[] { new Dictionary<string, object?> { ["id"] = "c", ["type"] = "function", ["function"] = new Dictionary<string, object?> { ["name"] = "f", ["arguments"] = "{}" } } },
        }));

    [Fact]
    public void Message_Empty_IsOfTheUser() => Assert.Equal(("user", null, "Hi"), (new Message().Role, new Message().Content, new Message(content: "Hi").Content!.ToString()));

    [Fact]
    public void FromObject_WhatCannotBeSent_IsNamed()
    {
        var loop = new Dictionary<string, object?> { ["model"] = "m" };
        loop["messages"] = loop;

        Assert.Contains("FromJson", Assert.Throws<ArgumentException>(() => LlmRequest.FromObject("{}")).Message, StringComparison.Ordinal);
        Assert.Contains("\"when\" is a DateTime", Assert.Throws<ArgumentException>(() => LlmRequest.FromObject(new { model = "m", when = DateTime.UnixEpoch })).Message, StringComparison.Ordinal);
        Assert.Contains("\"when\" is a DayOfWeek", Assert.Throws<ArgumentException>(() => LlmRequest.FromObject(new { model = "m", when = DayOfWeek.Friday })).Message, StringComparison.Ordinal);
        Assert.Contains("256 levels", Assert.Throws<ArgumentException>(() => LlmRequest.FromObject(loop)).Message, StringComparison.Ordinal);
        Assert.Contains("surrogate", Assert.Throws<ArgumentException>(() => LlmRequest.FromObject(new { model = "half \ud83d", input = "a" })).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be sent", Assert.Throws<ArgumentException>(() => LlmRequest.FromDictionary(new Dictionary<string, object?> { ["model"] = new { a = 1 } })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => LlmRequest.FromObject(new { model = "m", messages = (Message[])["a"], temperature = 3 }));
        Assert.Throws<JsonException>(() => LlmRequest.FromObject(new[] { 1 }));
        Assert.Throws<ArgumentNullException>(() => LlmRequest.FromObject(null!));
    }

    private sealed record Own(
        [property: JsonPropertyName("model")] string Model, [property: JsonPropertyName("messages")] Message[] Messages,
        [property: JsonPropertyName("temperature")] double Temperature, [property: JsonPropertyName("tools")] JsonNode[] Tools)
    {
        [JsonPropertyName("n")]
        public int N { get; init; }

        [JsonIgnore]
        public string Secret => $"not sent, with {N}";
    }
}
