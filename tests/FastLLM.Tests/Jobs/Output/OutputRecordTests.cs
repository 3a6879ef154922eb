using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class OutputRecordTests
{
    private const string Zeros = "0000000000000000000000000000000000000000000000000000000000000000";

    private static readonly RequestKey s_key = RequestKey.Compute("/v1/chat/completions", "{}"u8);

    [Fact]
    public void Write_Answer_IsOpenAIsLine()
    {
        string line = Write(Success("{\n  \"id\": \"chatcmpl-1\",\n  \"choices\": [ 1.0 ],\n  \"x\": \" \\u00e9 é \"\n}"), own: false);

        Assert.Equal($$$"""{"id":"batch_req_{{{s_key.ToString()[..24]}}}","custom_id":"row 1","response":{"status_code":200,"request_id":"{{{s_key}}}","body":{"id":"chatcmpl-1","choices":[1.0],"x":" \u00e9 é "}},"error":null}""" + "\n", line);
    }

    [Fact]
    public void Write_Answer_HasMetadata()
    {
        var sent = new ResponseWrapper<LlmResponse>(LlmResponse.FromBody("{}"u8.ToArray()), s_key, 0, null) { Attempts = 3, Latency = TimeSpan.FromMilliseconds(1234.5), MaybeBilled = 1 };
        var cached = new ResponseWrapper<LlmResponse>(LlmResponse.FromBody("{}"u8.ToArray()), s_key, 0, null) { IsCacheHit = true };
        var shared = new ResponseWrapper<LlmResponse>(LlmResponse.FromBody("{}"u8.ToArray()), s_key, 0, null) { IsShared = true };

        Assert.EndsWith($$$$""","error":null,"fastllm":{"key":"{{{{s_key}}}}","attempts":3,"latency_ms":1234,"maybe_billed":1,"metadata":{"a":[1,2]}}}""" + "\n", Write(sent, metadata: "{ \"a\": [1,\r 2] }"), StringComparison.Ordinal);
        Assert.EndsWith($$$""","error":null,"fastllm":{"key":"{{{s_key}}}","attempts":0,"cached":true}}""" + "\n", Write(cached), StringComparison.Ordinal);
        Assert.EndsWith($$$""","error":null,"fastllm":{"key":"{{{s_key}}}","attempts":0,"shared":true}}""" + "\n", Write(shared), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_Refusal_IsTheProvidersResponse()
    {
        var error = new LlmException(FailureKind.InvalidRequest, "no") { StatusCode = 400, Body = "{ \"error\": { \"message\": \"a  b\", \"code\": null } }" };

        string line = Write(Failure(error));

        Assert.Contains("\"response\":{\"status_code\":400,\"request_id\":", line, StringComparison.Ordinal);
        Assert.Contains("\"body\":{\"error\":{\"message\":\"a  b\",\"code\":null}}},\"error\":null,\"fastllm\":", line, StringComparison.Ordinal);
        Assert.EndsWith("\"attempts\":2,\"failure\":\"invalid_request\",\"message\":\"no\"}}" + "\n", line, StringComparison.Ordinal);
        Assert.False(Read(line).Succeeded);
    }

    [Theory]
    [InlineData("<html>Bad gateway</html>")]
    [InlineData("{\"error\":{\"message\":\"cut he")]
    [InlineData("[1]")]
    [InlineData("")]
    [InlineData(null)]
    public void Write_RefusalWithoutJson_HasAnError(string? body)
    {
        var error = new LlmException(FailureKind.ServerError, "It \"failed\".") { StatusCode = 502, Body = body, Code = "bad_gateway" };

        using JsonDocument line = JsonDocument.Parse(Write(Failure(error)));

        Assert.Equal(502, line.RootElement.GetProperty("response").GetProperty("status_code").GetInt32());
        Assert.Equal("""{"error":{"message":"It \"failed\".","type":"server_error","param":null,"code":"bad_gateway"}}""", line.RootElement.GetProperty("response").GetProperty("body").GetRawText());
        Assert.Equal(JsonValueKind.Null, line.RootElement.GetProperty("error").ValueKind);
    }

    [Fact]
    public void Write_Answer_HasTheStatusThatItCameWith()
    {
        var created = LlmResponse.FromBody("{}"u8.ToArray());
        created.StatusCode = 201;

        string line = Write(new ResponseWrapper<LlmResponse>(created, s_key, 0, null));

        Assert.Contains("\"status_code\":201,", line, StringComparison.Ordinal);
        Assert.True(Read(line).Succeeded);
    }

    [Fact]
    public void Write_FailureWithoutAnswer_HasNoResponse()
    {
        string line = Write(Failure(new LlmException(FailureKind.ConnectionLost, "Lost.")), own: false);

        Assert.EndsWith(""","custom_id":"row 1","response":null,"error":{"code":"connection_lost","message":"Lost."}}""" + "\n", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_FailureWithStatus200_ReadsAsFailure()
    {
        var saysError = new LlmException(FailureKind.ServerError, "x") { StatusCode = 200, Body = """{"error":{"message":"x"}}""" };
        var isCut = new LlmException(FailureKind.IncompleteResponse, "x") { StatusCode = 200, Body = """{"choices":[{"messa""" };
        var isNonsense = new LlmException(FailureKind.InvalidResponse, "x") { StatusCode = 200, Body = """{"error":null,"a":1}""" };

        Assert.Contains("\"status_code\":200", Write(Failure(saysError)), StringComparison.Ordinal);
        Assert.Contains("\"response\":null,\"error\":{\"code\":\"incomplete_response\"", Write(Failure(isCut)), StringComparison.Ordinal);
        Assert.Contains("\"response\":null,\"error\":{\"code\":\"invalid_response\"", Write(Failure(isNonsense)), StringComparison.Ordinal);
        Assert.All([saysError, isCut, isNonsense], error => Assert.False(Read(Write(Failure(error))).Succeeded));
    }

    [Fact]
    public void Write_AnyFailure_ReadsAsFailure()
    {
        Assert.All(
            from kind in Enum.GetValues<FailureKind>()
            from status in (int?[])[null, 200, 302, 400, 429, 500]
            from body in (string?[])[null, "{}", """{"error":{}}"""]
            select Failure(new LlmException(kind, "x") { StatusCode = status, Body = body }),
            outcome =>
            {
                OutputEntry entry = Read(Write(outcome));
                Assert.False(entry.Succeeded || entry.IsDamaged);
                Assert.Equal(s_key, entry.Key);
            });
    }

    [Theory]
    [InlineData("a\nb\r\0\u0001\u001b[31m\u2028\u0085")]
    [InlineData("=cmd()|' /C calc'!A0")]
    [InlineData("../x \"quoted\" \\ </script> & é 😀")]
    [InlineData("")]
    public void Write_AnyId_IsReadBack(string id)
    {
        string line = Write(Success("{}"), id: id);

        Assert.Equal(line.Length - 1, line.IndexOf('\n', StringComparison.Ordinal));
        Assert.Equal(id, Read(line).CustomId);
        Assert.DoesNotContain('\u001b', line);
        using JsonDocument document = JsonDocument.Parse(line);
        Assert.Equal(id, document.RootElement.GetProperty("custom_id").GetString());
    }

    [Fact]
    public void Write_LongIdThenShortId_AreWhole()
    {
        var record = new OutputRecord(withOwnMember: true);
        string id = string.Concat(Enumerable.Repeat("\n=\"é", 1 << 18));

        Assert.Equal(id, OutputLine.Read(record.Write(id, Success("{}")).Span, 0, 1).CustomId);
        Assert.Equal("small", OutputLine.Read(record.Write("small", Success("{}")).Span, 0, 1).CustomId);
    }

    [Fact]
    public void Write_HalfSurrogatePair_BecomesReplacementCharacter()
    {
        string half = "😀"[..1];
        var error = new LlmException(FailureKind.ServerError, "m" + half) { StatusCode = 500, Body = "{\"a\":\"" + half + "\"}", Code = "c" + half };

        ReadOnlyMemory<byte> line = new OutputRecord(withOwnMember: true).Write("id" + half, Failure(error), default);

        string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(line.Span);
        Assert.DoesNotContain("\\ud83d", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("id\uFFFD", OutputLine.Read(line.Span, 0, line.Length).CustomId);
    }

    [Fact]
    public void Write_BodyThatIsNotUnicode_IsWrittenAsValidUtf8()
    {
        byte[] body = [.. "{ \"text\": \"a\\ud83d"u8, 0xFF, .. "\\ud83d\\ude00\", \"n\": 1.0 }"u8];
        var outcome = new ResponseWrapper<LlmResponse>(LlmResponse.FromBody(body), s_key, 0, null);

        string line = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(new OutputRecord(withOwnMember: false).Write("id", outcome).Span);

        Assert.Contains("""{"text":"a\ufffd\uFFFD\ud83d\ude00","n":1.0}""".Replace("\\uFFFD", "\uFFFD", StringComparison.Ordinal), line, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_LargeBody_IsWhole()
    {
        byte[] body = Encoding.UTF8.GetBytes("{ \"text\": \"" + new string('x', 50_000_000) + "\" }");
        var record = new OutputRecord(withOwnMember: true);

        ReadOnlyMemory<byte> line = record.Write("big", new ResponseWrapper<LlmResponse>(LlmResponse.FromBody(body), s_key, 0, null));

        Assert.InRange(line.Length, 50_000_000, 50_001_000);
        Assert.True(OutputLine.Read(line.Span, 0, line.Length).Succeeded);
    }

    [Fact]
    public void Write_ShortRequestId_IsWritten()
    {
        string line = Write(new ResponseWrapper<LlmResponse>(LlmResponse.FromBody("{}"u8.ToArray()), "mine", 0));

        Assert.StartsWith("{\"id\":\"batch_req_mine\",", line, StringComparison.Ordinal);
        Assert.Null(Read(line).Key);
    }

    [Fact]
    public void WriteInvalid_HasTheKeyOfNoRequest()
    {
        string line = Encoding.UTF8.GetString(new OutputRecord(withOwnMember: true).WriteInvalid("7", "line 7: \"url\" is missing", "{\"m\":1}"u8).Span);

        Assert.EndsWith($$$$""","custom_id":"7","response":null,"error":{"code":"invalid_row","message":"line 7: \"url\" is missing"},"fastllm":{"key":"{{{{Zeros}}}}","attempts":0,"failure":"invalid_row","message":"line 7: \"url\" is missing","metadata":{"m":1}}}""" + "\n", line, StringComparison.Ordinal);
        Assert.Equal(default(RequestKey), Read(line).Key);
        Assert.DoesNotContain("fastllm", Encoding.UTF8.GetString(new OutputRecord(withOwnMember: false).WriteInvalid("7", "x").Span), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_Clock_StatesTimeAndBottleneck()
    {
        var time = new ManualTimeProvider();
        var limitedBy = Bottleneck.RequestsPerMinute;
        var record = new OutputRecord(withOwnMember: true, time, () => limitedBy);
        string at = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

        Assert.Contains($"\"attempts\":0,\"at\":\"{at}\",\"limited_by\":\"requests_per_minute\"}}}}\n", Encoding.UTF8.GetString(record.Write("a", Success("{}")).Span), StringComparison.Ordinal);

        limitedBy = Bottleneck.None;
        time.Advance(TimeSpan.FromMilliseconds(1500));
        at = time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        Assert.Contains($"\"attempts\":0,\"at\":\"{at}\",\"failure\":", Encoding.UTF8.GetString(record.WriteInvalid("b", "x").Span), StringComparison.Ordinal);
    }

    private static ResponseWrapper<LlmResponse> Success(string body) => new(LlmResponse.FromBody(Encoding.UTF8.GetBytes(body)), s_key, 0, null);

    private static ResponseWrapper<LlmResponse> Failure(LlmException error) => new(error, s_key, 0) { Attempts = 2 };

    private static string Write(ResponseWrapper<LlmResponse> outcome, bool own = true, string id = "row 1", string metadata = "") =>
        Encoding.UTF8.GetString(new OutputRecord(own).Write(id, outcome, Encoding.UTF8.GetBytes(metadata)).Span);

    private static OutputEntry Read(string line) => OutputLine.Read(Encoding.UTF8.GetBytes(line), 0, line.Length);
}
