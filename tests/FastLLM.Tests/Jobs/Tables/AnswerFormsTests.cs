using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Reports;
using FastLLM.Jobs.Tables;
using Xunit;

namespace FastLLM.Tests.Jobs.Tables;

/// <summary>Whatever form a provider gives an answer, none is lost: not in the library's text, not in rows, not in the report.</summary>
public sealed class AnswerFormsTests
{
    private const string Call = """{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}""";

    /// <summary>The message of a chat completion; text and refusal in the library; the cell of a row; the words of a report.</summary>
    public static TheoryData<string, string?, string?, string?, string> Messages => new()
    {
        { """{"content":"hi"}""", "hi", null, "hi", "hi" },
        { """{"content":""}""", "", null, "", "" },
        { """{"content":null}""", null, null, null, "" },
        { """{"content":[{"type":"text","text":"hi"},{"type":"text","text":" you"}]}""", "hi you", null, "hi you", "hi you" },
        { """{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"}]}""", "hi", null, "hi", "hi" },
        { """{"content":[{"type":"thinking","thinking":"hm"},"hi"]}""", "hi", null, "hi", "hi" },
        { """{"content":{"type":"text","text":"hi"}}""", "hi", null, "hi", "hi" },
        { """{"content":"hi","tool_calls":[]}""", "hi", null, "hi", "hi" },
        { """{"content":null,"refusal":"no","tool_calls":[]}""", null, "no", "no", "no" },
        { """{"content":"","refusal":"no","tool_calls":[]}""", "", "no", "no", "no" },
        { """{"content":[{"type":"refusal","refusal":"no"}]}""", null, "no", "no", "no" },
        { """{"content":null,"tool_calls":[CALL]}""", null, null, "[CALL]", """f({"a":1})""" },
        { """{"content":"wait","tool_calls":[CALL]}""", "wait", null, "wait\n[CALL]", "wait\nf({\"a\":1})" },
        { """{"content":null,"function_call":{"name":"f","arguments":"{}"}}""", null, null, """[{"name":"f","arguments":"{}"}]""", "f({})" },
        { """{"content":"","function_call":{"name":"f","arguments":"{}"},"tool_calls":[]}""", "", null, """[{"name":"f","arguments":"{}"}]""", "f({})" },
        { """{"content":null,"audio":{"id":"a","data":"AAAA","transcript":"said"}}""", "said", null, "said", "said" },
        { """{"content":"","audio":{"transcript":"said"}}""", "said", null, "said", "said" },
        { """{"content":[{"type":"output_audio","transcript":"said"}]}""", "said", null, "said", "said" },
        { """{"content":[{"type":"text","text":{"value":"hi","annotations":[]}},{"type":"text","text":" you"}]}""", "hi you", null, "hi you", "hi you" },
        { """{"content":42}""", "42", null, "42", "42" },
        { """{"content":false}""", "false", null, "false", "false" },
        { """{"content":{"a": [1, "x"]}}""", """{"a": [1, "x"]}""", null, """{"a": [1, "x"]}""", """{"a": [1, "x"]}""" },
        { """{"content":{"type":"cat"}}""", """{"type":"cat"}""", null, """{"type":"cat"}""", """{"type":"cat"}""" },
        { """{"content":{"type":"refusal","refusal":"no"}}""", null, "no", "no", "no" },
        { """{"content":"half \ud83d of a pair"}""", "half \uFFFD of a pair", null, "half \uFFFD of a pair", "half \uFFFD of a pair" },
        { """{"content":null,"refusal":"no \udc00"}""", null, "no \uFFFD", "no \uFFFD", "no \uFFFD" },
    };

    [Theory]
    [MemberData(nameof(Messages))]
    public void ChatMessage_AnyForm_IsReadEverywhere(string message, string? text, string? refusal, string? cell, string words)
    {
        message = message.Replace("CALL", Call, StringComparison.Ordinal);
        string body = $$"""{"object":"chat.completion","choices":[{"index":0,"message":{{message}},"finish_reason":"stop"}]}""";
        var completion = (ChatCompletion)LlmResponse.FromBody(Encoding.UTF8.GetBytes(body));

        Assert.Equal((text, refusal), (completion.Text, completion.Refusal));
        Assert.Equal((text, refusal), (completion.Choices[0].Text, completion.Choices[0].Refusal));
        Assert.Equal(cell?.Replace("CALL", Call, StringComparison.Ordinal), CellOf(body));
        Assert.Equal(words, WordsOf(body));
    }

    [Theory]
    [InlineData("""{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"}]}""", "hm", 0)]
    [InlineData("""{"content":"hi","reasoning_content":"hm"}""", "hm", 0)]
    [InlineData("""{"content":null,"function_call":{"name":"f","arguments":"{}"}}""", null, 1)]
    [InlineData("""{"content":"hi","tool_calls":[]}""", null, 0)]
    public void ChatMessage_AnyForm_HasReasoningAndCalls(string message, string? reasoning, int calls)
    {
        var completion = (ChatCompletion)LlmResponse.FromBody(Encoding.UTF8.GetBytes($$"""{"choices":[{"message":{{message}}}]}"""));

        Assert.Equal((reasoning, calls), (completion.Reasoning, completion.ToolCalls.Count));
        Assert.All(completion.ToolCalls, call => Assert.Equal(("f", "{}"), (call.Function.Name, call.Function.Arguments)));
    }

    [Theory]
    [InlineData("""[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]""", "hi", "hi")]
    [InlineData("""[{"type":"reasoning","summary":[]},{"type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]}]""", "ab", "ab")]
    [InlineData("""[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]""", "no", "no")]
    [InlineData("""[{"type":"function_call","name":"f","arguments":"{}","call_id":"1"}]""", "*", "f({})")]
    [InlineData("""[{"type":"custom_tool_call","name":"f","input":"x","call_id":"1"}]""", "*", "f(x)")]
    [InlineData("""[{"type":"message","content":[{"type":"output_text","text":"wait"}]},{"type":"function_call","name":"f","arguments":"{}"}]""",
        "wait\n[{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"}]", "wait\nf({})")]
    [InlineData("""[{"type":"image_generation_call","result":"AAAA"}]""", "*", """{"type":"image_generation_call","result":"AAAA"}""")]
    [InlineData("""[{"type":"web_search_call","id":"w"},{"type":"message","content":[{"type":"output_text","text":"hi"}]}]""", "hi", "hi")]
    public void ResponsesOutput_AnyForm_IsReadEverywhere(string output, string cell, string words)
    {
        string body = $$"""{"object":"response","status":"completed","output":{{output}}}""";

        Assert.Equal(cell == "*" ? output : cell, CellOf(body));
        Assert.Equal(words, WordsOf(body));
    }

    [Theory]
    [InlineData("[]", "hi")]
    [InlineData("""[{"type":"reasoning","summary":[]}]""", "hi")]
    [InlineData("""[{"type":"web_search_call","id":"w"}]""", "hi")]
    [InlineData("""[{"type":"message","content":[{"type":"output_text","text":"ho"}]}]""", "ho")]
    [InlineData("""[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]""", "no")]
    public void ResponsesOutput_TextBesideTheItems_IsReadIfTheyHaveNone(string output, string words)
    {
        string body = $$"""{"object":"response","status":"completed","output":{{output}},"output_text":"hi"}""";

        Assert.Equal((words, words), (CellOf(body), WordsOf(body)));
    }

    [Fact]
    public void Record_BytesThatAreNoText_AreReplacedAndCounted_AndTheResponseKeepsThem()
    {
        byte[] body = [.. """{"choices":[{"message":{"content":"a"""u8, 0xFF, (byte)'b', 0xE2, 0x82, .. """ \ud800 �c"},"finish_reason":"st"""u8, 0xFE, .. """op"}]}"""u8];
        var response = (ChatCompletion)LlmResponse.FromBody(body);
        var outcome = new ResponseWrapper<LlmResponse>(response, new string('0', 64), 0);

        byte[] line = new OutputRecord(withOwnMember: true).Write("id", outcome).ToArray();

        const string Expected = "a\uFFFDb\uFFFD \uFFFD \uFFFDc";
        string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(line);
        using JsonDocument record = JsonDocument.Parse(text);
        Assert.Equal(4, record.RootElement.GetProperty("fastllm").GetProperty("replaced").GetInt32());
        JsonElement choice = record.RootElement.GetProperty("response").GetProperty("body").GetProperty("choices")[0];
        Assert.Equal(Expected, choice.GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(Expected, response.Text);
        Assert.Equal(Expected, response.Choices[0].Text);
        Assert.Equal(Expected, response.Json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("st\uFFFDop", response.FinishReason);
        Assert.Equal(body, response.RawBody.ToArray());
        Assert.Equal(Expected, RowOutcome.Read(line).Text);
    }

    [Fact]
    public async Task Record_OfAnEarlierBuildWithSuchBytes_IsReadByAll()
    {
        byte[] line =
        [
            .. """{"id":"batch_req_1","custom_id":"id","response":{"status_code":200,"request_id":"r","body":{"choices":[{"message":{"content":"x\udc00"""u8, 0xC3,
            .. "\"},\"finish_reason\":\"\\ud800\"}]}},\"error\":null,\"fastllm\":{\"metadata\":{\"c"u8, 0xFF, .. "\":\"\\udfff\"}}}\n"u8,
        ];
        OutputEntry entry = OutputLine.Read(line, 0, line.Length);
        Assert.Equal((false, true, "id"), (entry.IsDamaged, entry.Succeeded, entry.CustomId));
        Assert.Equal(["\uFFFD"], entry.FinishReasons);

        foreach (OutputKind kind in (OutputKind[])[OutputKind.JsonRows, OutputKind.Csv, OutputKind.Tsv])
        {
            var layout = new TableLayout(new ColumnNames(), withId: true);
            string written = await TableWriterTests.WriteAsync(kind, layout, layout.RowOf("id", default, RowOutcome.Read(line)));
            Assert.Contains("x\uFFFD\uFFFD", written, StringComparison.Ordinal);
        }

        using JsonDocument document = JsonDocument.Parse(line);
        Assert.Equal("x\uFFFD\uFFFD", ReportRow.Read(document.RootElement, 1, succeeded: true).Words);
    }

    private static string? CellOf(string body)
    {
        RowOutcome outcome = RowOutcome.Read(Encoding.UTF8.GetBytes($$"""{"custom_id":"x","response":{"status_code":200,"body":{{body}}},"error":null}"""));
        return outcome.Text ?? outcome.Json;
    }

    private static string WordsOf(string body)
    {
        using JsonDocument document = JsonDocument.Parse(body);
        return AnswerText.Of(document.RootElement);
    }
}
