using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Providers;

public sealed class ResponseTests
{
    [Fact]
    public void ChatCompletion_ReadsChoicesToolCallsRefusalAndReasoning()
    {
        var chat = Assert.IsType<ChatCompletion>(Read("""
            {"id":"c1","model":"m-1","choices":[
              {"index":0,"message":{"role":"assistant","content":"A","refusal":"no","reasoning_content":"because"},"finish_reason":"stop","logprobs":{"x":[1]}},
              {"index":1,"message":{"content":null,"reasoning":"so","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"t2","function":{"name":"g"}}]},"finish_reason":"tool_calls"}],
             "usage":{"prompt_tokens":1,"completion_tokens":2},"x_provider":{"y":[true]}}
            """));

        Assert.Equal(("c1", "m-1", "A", "stop", "no", "because"), (chat.Id, chat.Model, chat.Text, chat.FinishReason, chat.Refusal, chat.Reasoning));
        Assert.Empty(chat.ToolCalls);
        Assert.Equal((1, (string?)null, "tool_calls", "so"), (chat.Choices[1].Index, chat.Choices[1].Text, chat.Choices[1].FinishReason, chat.Choices[1].Reasoning));
        Assert.Equal([new ToolCall("t1", new FunctionCall("f", "{\"a\":1}")), new ToolCall("t2", new FunctionCall("g", ""))], chat.Choices[1].ToolCalls);
    }

    [Fact]
    public void Delta_OutsideOfAStream_IsTheMessage()
    {
        var chat = Assert.IsType<ChatCompletion>(Read("""{"choices":[{"message":null,"delta":{"content":"A","refusal":"no"},"finish_reason":"stop"}]}"""));

        Assert.Equal(("A", "A", "no"), (chat.Text, chat.Choices[0].Text, chat.Refusal));
    }

    [Fact]
    public void RawBody_IsTheReceivedBytes()
    {
        byte[] body = """{ "choices":[{"message":{"content":"A","audio":{"id":"a"}},"finish_reason":"stop","odd":1.50}] , "x_groq":{"id":"q"} }"""u8.ToArray();
        var chat = (ChatCompletion)LlmResponse.FromBody(body);

        Assert.Equal(body, chat.RawBody.ToArray());
        Assert.Equal("q", chat.Json.GetProperty("x_groq").GetProperty("id").GetString());
        Assert.Equal("1.50", chat.Choices[0].Json.GetProperty("odd").GetRawText());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"message\":null}")]
    [InlineData("{\"message\":\"x\",\"index\":\"0\",\"finish_reason\":7}")]
    [InlineData("{\"message\":{\"content\":[1],\"tool_calls\":{},\"refusal\":false}}")]
    [InlineData("{\"message\":{\"tool_calls\":[null,1]},\"index\":1e99}")]
    public void Fields_WrongKind_AreMissing(string choice)
    {
        var chat = new ChatCompletionBody($$"""{"choices":[{"message":{},"finish_reason":"stop"},{{choice}}]}""").Value;

        ChatChoice odd = chat.Choices[1];
        Assert.Equal((null, null, null, null, 0), (odd.Text, odd.FinishReason, odd.Refusal, odd.Reasoning, odd.Index));
        Assert.All(odd.ToolCalls, call => Assert.Equal("", call.Function.Name));
    }

    [Fact]
    public void Text_HalfOfASurrogatePair_IsReplaced()
    {
        var chat = new ChatCompletionBody("""{"choices":[{"message":{"content":"a\ud83d\n\t\"\\\/\u00e9é😀\ude00z"},"finish_reason":"stop"}]}""").Value;

        Assert.Equal("a\uFFFD\n\t\"\\/éé😀\uFFFDz", chat.Text);
    }

    [Fact]
    public void Response_AnyBytesInNamesAndTexts_AreReadWithoutException()
    {
        byte[] bad = [0xFF, .. "\\ud83d"u8];
        byte[] name = [.. "\""u8, .. bad, .. "\":1,"u8];
        byte[] text = [.. ":\""u8, .. bad, .. "\""u8];
        byte[] body =
        [
            .. "{"u8, .. name, .. "\"id\""u8, .. text, .. ",\"choices\":[{"u8, .. name, .. "\"finish_reason\""u8, .. text, .. ",\"message\":{"u8, .. name,
            .. "\"content\""u8, .. text, .. ",\"refusal\""u8, .. text, .. ",\"reasoning\""u8, .. text,
            .. ",\"tool_calls\":[{"u8, .. name, .. "\"id\""u8, .. text, .. ",\"function\":{"u8, .. name, .. "\"arguments\""u8, .. text, .. "}}]}}],\"usage\":{"u8, .. name, .. "\"prompt_tokens\":3.0}}"u8,
        ];

        var chat = (ChatCompletion)LlmResponse.FromBody(body);

        const string replaced = "\uFFFD\uFFFD";
        Assert.Equal((replaced, replaced, replaced), (chat.Text, chat.FinishReason, chat.Id));
        Assert.Equal((replaced, replaced, replaced), (chat.Choices[0].Text, chat.Refusal, chat.Reasoning));
        Assert.Equal((replaced, "", replaced), (chat.ToolCalls[0].Id, chat.ToolCalls[0].Function.Name, chat.ToolCalls[0].Function.Arguments));
        Assert.Equal(3, chat.Usage!.PromptTokens);
        Assert.Null(chat.Model);
        Assert.True(chat.RawBody.Span.SequenceEqual(body));
    }

    [Fact]
    public void Text_DuplicateMembers_LastOneCounts()
    {
        const string body = """{"choices":[{"text":"t"}],"choices":[{"message":{"content":"a","content":"b"},"finish_reason":"length","finish_reason":"stop"},{"text":"c"}]}""";
        ChatCompletion fast = new ChatCompletionBody(body).Value, slow = new ChatCompletionBody(body).Value;

        Assert.Equal(("b", "stop"), (slow.Choices[0].Text, slow.Choices[0].FinishReason));
        Assert.Equal(("b", "stop"), (fast.Text, fast.FinishReason));
    }

    [Fact]
    public void Text_TextCompletion_IsRead()
    {
        Assert.Equal("x", new ChatCompletionBody("""{"choices":[{"text":"x","finish_reason":"stop"}]}""").Value.Text);
    }

    [Fact]
    public void Embeddings_NumbersAndBase64_AreEqual()
    {
        var vectors = from count in Gen.Choose(0, 40)
                      from numbers in Gen.Choose(-1_000_000, 1_000_000).ArrayOf(count)
                      select numbers.Select(n => n / 7f).ToArray();

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll(vectors.ToArbitrary(), vector =>
        {
            var bytes = new byte[vector.Length * 4];
            for (int i = 0; i < vector.Length; i++)
            {
                System.Buffers.Binary.BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * 4), vector[i]);
            }

            var response = (EmbeddingResponse)Read($$"""{"data":[{"index":0,"embedding":{{JsonSerializer.Serialize(vector)}}},{"index":1,"embedding":"{{Convert.ToBase64String(bytes)}}"}]}""");
            return response.Embeddings.Count == 2 && response.Embeddings.All(read => read.Span.SequenceEqual(vector));
        }));
    }

    [Theory]
    [InlineData("2,0,1", "2,3,1")]
    [InlineData("0,1,2", "1,2,3")]
    [InlineData("null,null,null", "1,2,3")]
    [InlineData("0,0,0", "1,2,3")]
    [InlineData("7,-1,\"2\"", "1,2,3")]
    public void Embeddings_AreInTheOrderOfTheInputs(string indexes, string order)
    {
        string data = string.Join(',', indexes.Split(',').Select((index, place) => $$"""{"index":{{index}},"embedding":[{{place + 1}}]}"""));
        var response = (EmbeddingResponse)Read($$"""{"data":[{{data}}]}""");

        Assert.Equal(order, string.Join(',', response.Embeddings.Select(vector => vector.Span[0])));
    }

    [Theory]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("[1,\"2\"]")]
    [InlineData("[null]")]
    [InlineData("\"!!!!\"")]
    [InlineData("\"AAAA\"")]
    public void Embeddings_NotVectors_ThrowJsonException(string vector)
    {
        var response = (EmbeddingResponse)Read($$"""{"data":[{"embedding":{{vector}}}]}""");

        Assert.ThrowsAny<JsonException>(() => response.Embeddings);
    }

    [Fact]
    public void FromBody_ResponsesObject_HasTextRefusalAndCalls()
    {
        var response = Assert.IsType<OtherResponse>(Read("""
            {"id":"r","output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]},
            {"type":"function_call","id":"x","call_id":"c","name":"f","arguments":"{}"},{"type":"web_search_call","id":"w"}]}
            """));

        Assert.Equal(("a", "no"), (response.Text, response.Refusal));
        ToolCall call = Assert.Single(response.ToolCalls);
        Assert.Equal(("c", "f", "{}"), (call.Id, call.Function.Name, call.Function.Arguments));
        Assert.Null(Assert.IsType<OtherResponse>(Read("""{"id":"r"}""")).Text);
    }

    [Fact]
    public void FromBody_OtherObject_IsOtherResponse()
    {
        Assert.Equal("r", Assert.IsType<OtherResponse>(Read("""{"id":"r","output":[]}""")).Id);
        Assert.ThrowsAny<JsonException>(() => Read("[]"));
        Assert.ThrowsAny<JsonException>(() => Read("{"));
        Assert.ThrowsAny<JsonException>(() => Read(""));
    }

    [Fact]
    public void ToString_PrintsKindAndSize_NeverTheContent()
    {
        Assert.Equal("ChatCompletion, 70 bytes", Read("""{"choices":[{"message":{"content":"secret"},"finish_reason":"stop"}]}""" + " ").ToString());
    }

    private static LlmResponse Read(string body) => LlmResponse.FromBody(Encoding.UTF8.GetBytes(body));

    private sealed record ChatCompletionBody(string Body)
    {
        public ChatCompletion Value => (ChatCompletion)Read(Body);
    }
}
