using System.Text;
using System.Text.Json;
using Xunit;

namespace FastLLM.Tests.Requests;

public sealed class BatchFileTests
{
    private const string Body = """{"model":"m", "messages":[{"role":"user","content":"hi"}]}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadAsync_KeepsBodiesByteForByte_AndIds()
    {
        RequestBatch batch = await ReadAsync(Line("a", Body) + "\n" + Body + "\n" + """{"body":{"input":"x","model":"e"},"url":"/v1/embeddings"}""");

        Assert.Equal([Body, Body, """{"input":"x","model":"e"}"""], batch.Select(Text));
        Assert.Equal(["a", null, null], batch.Select(r => r.CustomId));
        Assert.Equal(["/v1/chat/completions", "/v1/chat/completions", "/v1/embeddings"], batch.Select(r => r.Endpoint));
        Assert.All(batch, request => Assert.False(request.TemperatureLeftAlone));
    }

    [Fact]
    public async Task ReadAsync_SplitsOnLineFeedsOnly()
    {
        string odd = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\u2028b\u0085c\"}]}";
        RequestBatch batch = await ReadAsync("\uFEFF" + Line("1", Body) + "\r\n\r\n \t\r\n" + Line("2", odd) + "\n" + Line("3", "{\r\"model\":\"m\",\r\"messages\":[]}") + "\r");

        Assert.Equal(["1", "2", "3"], batch.Select(r => r.CustomId));
        Assert.Equal([Body, odd, "{\r\"model\":\"m\",\r\"messages\":[]}"], batch.Select(Text));
    }

    [Fact]
    public async Task ReadAsync_EmptyFile_IsAnEmptyBatch()
    {
        Assert.Empty(await ReadAsync(""));
        Assert.Empty(await ReadAsync("\uFEFF\n\r\n"));
    }

    [Fact]
    public async Task ReadAsync_KnownUrlsAndSamples_AreRead()
    {
        string[] urls = ["/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/completions"];
        RequestBatch batch = await ReadAsync(string.Join('\n', urls.Select((url, i) => $$$"""{"url":"{{{url}}}","fastllm":{"key":"x","sample":{{{i}}},"more":[1]},"body":{"model":"m"},"custom_id":"{{{i}}}","metadata":{"body":1}}""")));

        Assert.Equal(urls, batch.Select(r => r.Endpoint));
        Assert.Equal([0, 1, 2, 3], batch.Select(r => r.Sample));
    }

    public static TheoryData<string, string, string> WrongLines => new()
    {
        { "no JSON", "hello", "" },
        { "cut JSON", """{"custom_id":"a","body":{"model":""", "" },
        { "two objects", Body + " " + Body, "" },
        { "lone CR between rows", Body + "\r" + Body, "" },
        { "array", "[1]", "object" },
        { "number", "7", "object" },
        { "no url", """{"custom_id":"a","method":"POST","body":{}}""", "url" },
        { "url is a number", """{"url":7,"body":{}}""", "url" },
        { "foreign url", """{"url":"/v1/files","body":{}}""", "/v1/files" },
        { "url without version", """{"url":"/chat/completions","body":{}}""", "/v1/chat/completions" },
        { "url with host", """{"url":"https://evil.example/v1/chat/completions","body":{}}""", "url" },
        { "url with query", """{"url":"/v1/chat/completions?x=1","body":{}}""", "query" },
        { "url with fragment", """{"url":"/v1/chat/completions#x","body":{}}""", "fragment" },
        { "url with dots", """{"url":"/v1/../v1/chat/completions","body":{}}""", ".." },
        { "url with two slashes", """{"url":"//v1/chat/completions","body":{}}""", "//" },
        { "method GET", """{"method":"GET","url":"/v1/chat/completions","body":{}}""", "GET" },
        { "method is a number", """{"method":1,"url":"/v1/chat/completions","body":{}}""", "method" },
        { "body is a text", """{"url":"/v1/chat/completions","body":"x"}""", "body" },
        { "body is null", """{"url":"/v1/chat/completions","body":null}""", "body" },
        { "custom_id is a number", """{"custom_id":7,"url":"/v1/chat/completions","body":{}}""", "custom_id" },
        { "custom_id is half a pair", """{"custom_id":"\ud800","url":"/v1/chat/completions","body":{}}""", "custom_id" },
        { "two custom_ids", """{"custom_id":"a","custom_id":"b","url":"/v1/chat/completions","body":{}}""", "custom_id" },
        { "two bodies", """{"url":"/v1/chat/completions","body":{},"body":{}}""", "body" },
        { "negative sample", """{"url":"/v1/chat/completions","body":{},"fastllm":{"sample":-1}}""", "sample" },
        { "sample is a text", """{"url":"/v1/chat/completions","body":{},"fastllm":{"sample":"1"}}""", "sample" },
        { "lone surrogate", """{"model":"m","messages":[{"role":"user","content":"\ud800"}]}""", "" },
        { "lone surrogate in a name", """{"\ud800":1,"messages":[]}""", "" },
        { "lone surrogate in a line's name", """{"\udc00":1,"url":"/v1/chat/completions","body":{"\ud800":1}}""", "" },
        { "duplicate member", """{"model":"m","model":"n","messages":[]}""", "model" },
        { "duplicate member in a body", """{"url":"/v1/chat/completions","body":{"a":1,"a":2}}""", "" },
        { "too deep", """{"messages":""" + new string('[', 300) + new string(']', 300) + "}", "" },
    };

    [Theory]
    [MemberData(nameof(WrongLines))]
    public async Task ReadAsync_InvalidLine_ThrowsWithItsNumber(string name, string line, string says)
    {
        Assert.NotEmpty(name);
        var error = await Assert.ThrowsAsync<BatchFormatException>(() => ReadAsync(Line("ok", Body) + "\n\n" + line + "\n" + Body));

        Assert.Equal(3, Assert.Single(error.Errors).Line);
        Assert.Contains("line 3: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadAsync_InvalidUtf8_ThrowsWithItsLine()
    {
        byte[] wrong = Encoding.Latin1.GetBytes(Body.Replace("hi", "h\u00e9", StringComparison.Ordinal));
        byte[] wrongId = Encoding.Latin1.GetBytes(Line("\u00e9", Body));
        byte[] wrongName = Encoding.Latin1.GetBytes("{\"\u00e9\":1,\"messages\":[]}");

        var error = await Assert.ThrowsAsync<BatchFormatException>(() => RequestBatch.ReadAsync(
            new MemoryStream([.. Encoding.UTF8.GetBytes(Body), 10, .. wrong, 10, .. wrongId, 10, .. wrongName]), Cancel));
        Assert.Equal([2L, 3L, 4L], error.Errors.Select(e => e.Line));
    }

    [Fact]
    public async Task ReadAsync_DuplicateId_ThrowsWithBothLines()
    {
        var error = await Assert.ThrowsAsync<BatchFormatException>(() => ReadAsync(string.Join('\n', Line("a", Body), Line("b", Body), Line("a", Body))));

        (long line, string said) = Assert.Single(error.Errors);
        Assert.Equal(3, line);
        Assert.Contains("line 1", said, StringComparison.Ordinal);
        Assert.Contains("\"a\"", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadAsync_AlikeErrors_ShareALineOfTheMessage()
    {
        var error = await Assert.ThrowsAsync<BatchFormatException>(() => ReadAsync(string.Concat(Enumerable.Repeat("x\n", 25))));

        Assert.Equal(Enumerable.Range(1, 25).Select(n => (long)n), error.Errors.Select(e => e.Line));
        Assert.StartsWith("lines 1, 2, 3 and 22 more: The line is not valid JSON", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task ReadAsync_ManyDifferentErrors_MessageHasTheFirstTen()
    {
        string lines = string.Concat(Enumerable.Range(1, 25).Select(n => Line("a", Body).Replace("chat/completions", $"none{n}", StringComparison.Ordinal) + "\n"));
        var error = await Assert.ThrowsAsync<BatchFormatException>(() => ReadAsync(lines));

        Assert.Contains("line 10: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("line 11: ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("… and 15 more", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadAsync_FiveMegabyteLine_IsRead()
    {
        string body = $$"""{"model":"m","messages":[{"role":"user","content":"{{new string('x', 5_000_000)}}"}]}""";
        RequestBatch batch = await ReadAsync(Line("1", body) + "\n" + Line("2", Body));

        Assert.Equal(body, Text(batch[0]));
        Assert.Equal(Body, Text(batch[1]));
    }

    [Fact]
    public async Task WriteAsync_NamesRequestsByOrderAndKey_AndWritesOpenAIBatchLines()
    {
        var batch = new RequestBatch();
        string a = batch.Chat.Completions.Create("m", ["hi"], temperature: null);
        string e = batch.Embeddings.Create("e", "x");
        batch.Add(batch[1] with { Sample = 2 });

        string[] lines = (await WriteAsync(batch)).TrimEnd('\n').Split('\n');
        Assert.Equal($$$"""{"custom_id":"0-{{{a[..16]}}}","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"content":"hi","role":"user"}],"model":"m"}}""", lines[0]);
        Assert.Equal($$$"""{"custom_id":"1-{{{e[..16]}}}","method":"POST","url":"/v1/embeddings","body":{"input":"x","model":"e"}}""", lines[1]);
        Assert.EndsWith(""","fastllm":{"sample":2}}""", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("{\"custom_id\":\"2-" + batch[2].Key.ToString()[..16] + "\"", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_ReadAsync_RoundTrips()
    {
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", [Message.System("é\n\"😀\u2028"), "hi"], stop: ["\n"]);
        batch.Embeddings.Create("e", ["a", ""], sample: 4);
        batch.Add(LlmRequest.FromJson("""{ "model":"m" , "messages":[{"role":"user","content":"\u0068\/"}], "big":123456789012345678901234567890 }"""));
        batch.Add(batch[0]);

        string written = await WriteAsync(batch);
        RequestBatch read = await ReadAsync(written);
        Assert.Equal(batch.Select(Text), read.Select(Text));
        Assert.Equal(batch.Select(r => r.Key), read.Select(r => r.Key));
        Assert.Equal(written, await WriteAsync(read));
    }

    [Fact]
    public async Task WriteAsync_PrettyBody_IsOneLine()
    {
        var batch = new RequestBatch();
        string id = batch.Add(LlmRequest.FromJson("{\r\n  \"model\": \"m\",\n  \"messages\": []\r\n}"));
        string written = await WriteAsync(batch);

        Assert.Equal(1, written.Count(c => c == '\n'));
        Assert.Equal(id, Assert.Single(await ReadAsync(written)).Key.ToString());
    }

    [Fact]
    public async Task WriteAsync_OwnIds_AreKeptAndUnique()
    {
        RequestBatch read = await ReadAsync(Line("mine", Body) + "\n" + Line("other", Body));
        Assert.Contains("\"custom_id\":\"mine\"", await WriteAsync(read), StringComparison.Ordinal);

        RequestBatch again = await ReadAsync(await WriteAsync(RequestBatch.Merge([read, read])));
        Assert.Equal(4, again.Select(r => r.CustomId).Distinct().Count());
    }

    [Fact]
    public async Task WriteAsync_IdLikeAGeneratedOne_IsUnique()
    {
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", ["hi"]);
        RequestBatch read = await ReadAsync(await WriteAsync(batch)); // its id is what order 0 with this key is named

        RequestBatch again = await ReadAsync(await WriteAsync(RequestBatch.Merge([batch, read, batch])));
        Assert.Equal(3, again.Select(r => r.CustomId).Distinct().Count());
    }

    [Fact]
    public async Task Files_AreReadAndWrittenByPath()
    {
        string path = Path.Combine(Path.GetTempPath(), $"fastllm-{Guid.NewGuid():n}.jsonl");
        try
        {
            var batch = new RequestBatch();
            batch.Chat.Completions.Create("m", ["hi"]);
            await File.WriteAllTextAsync(path, new string('x', 10_000), Cancel);
            await batch.WriteAsync(path, Cancel);

            Assert.Equal(batch[0].Key, Assert.Single(await RequestBatch.ReadAsync(path, Cancel)).Key);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task ReadAsync_LeavesTheStreamOpen()
    {
        var stream = new MemoryStream(Encoding.UTF8.GetBytes(Body));
        await RequestBatch.ReadAsync(stream, Cancel);

        Assert.True(stream.CanRead);
        await Assert.ThrowsAsync<ArgumentNullException>(() => RequestBatch.ReadAsync((Stream)null!, Cancel));
        await Assert.ThrowsAsync<ArgumentNullException>(() => new RequestBatch().WriteAsync((Stream)null!, Cancel));
    }

    private static string Line(string id, string body) => $$"""{"custom_id":{{JsonSerializer.Serialize(id)}},"method":"POST","url":"/v1/chat/completions","body":{{body}}}"""
        .Replace("\\u00E9", "\u00e9", StringComparison.Ordinal);

    private static string Text(LlmRequest request) => Encoding.UTF8.GetString(request.Body.Span);

    private static Task<RequestBatch> ReadAsync(string file) => RequestBatch.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(file)), Cancel);

    private static async Task<string> WriteAsync(RequestBatch batch)
    {
        var stream = new MemoryStream();
        await batch.WriteAsync(stream, Cancel);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
