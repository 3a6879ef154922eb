using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Jobs.Reports;

public sealed partial class OutputReportTests : IDisposable
{
    private const string Ok = """{"custom_id":"ID","response":{"status_code":200,"body":{"model":"m","choices":[{"message":{"content":"TEXT"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":3}}},"error":null,"fastllm":{"attempts":1,"latency_ms":100,"at":"2026-01-31T12:00:00.000Z","limited_by":"concurrency"}}""";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WriteAsync_Rows_AreAddedUp()
    {
        (OutputReport report, _) = await MakeAsync(
            Ok,
            Ok.Replace("ID", "b", StringComparison.Ordinal).Replace("\"attempts\":1,\"latency_ms\":100", "\"attempts\":0,\"cached\":true", StringComparison.Ordinal),
            Ok.Replace("ID", "c", StringComparison.Ordinal).Replace("\"attempts\":1,\"latency_ms\":100", "\"attempts\":0,\"shared\":true", StringComparison.Ordinal).Replace("stop", "length", StringComparison.Ordinal),
            """{"custom_id":"d","response":null,"error":{"code":"timeout","message":"too late"},"fastllm":{"attempts":3,"failure":"timeout","message":"No answer.","maybe_billed":2,"at":"2026-01-31T12:00:09.500Z"}}""",
            """{"custom_id":"e","response":{"status_code":400,"body":{"error":{"code":"bad","message":"No."}}},"error":null}""");

        Assert.Equal((5, 3, 2, 1, 1), (report.Rows, report.Succeeded, report.Failed, report.Cached, report.Shared));
        Assert.Equal((4, 2), (report.Sends, report.MaybeBilled));
        Assert.Equal([new ReportCount("bad", 1, "No."), new ReportCount("timeout", 1, "No answer.")], report.Failures);
        Assert.Equal([new ReportCount("stop", 2, ""), new ReportCount("length", 1, "")], report.FinishReasons);
        Assert.Equal([new ReportCount("m", 3, "")], report.Models);
        Assert.Equal([new ReportCount("concurrency", 3, "")], report.LimitedBy);
        Assert.Equal(new ReportSpread(1, 100, 100, 100, 100, 100), report.Latency);
        Assert.Equal(new ReportSpread(3, 30, 10, 10, 10, 10), report.PromptTokens);
        Assert.Equal(9.5, (report.Last - report.First)!.Value.TotalSeconds);
        Assert.False(report.TimesAreTheProviders);
        Assert.Null(report.Cost);
    }

    [Fact]
    public async Task WriteAsync_EmptyAnswers_HaveNoCharactersAndNoFields()
    {
        (OutputReport report, _) = await MakeAsync(
            Ok.Replace("TEXT", "", StringComparison.Ordinal),
            """{"custom_id":"b","response":{"status_code":200,"body":{"id":"r","status":"incomplete","output":[]}},"error":null}""");

        Assert.Equal(2, report.Succeeded);
        Assert.Empty(report.AnswerFields);
        Assert.Equal(0, report.AnswerLengths.Sum);
    }

    [Fact]
    public async Task WriteAsync_LastRecordOfARow_Counts()
    {
        (OutputReport report, string html) = await MakeAsync(
            """{"custom_id":"ID","response":null,"error":{"code":"timeout","message":"early"}}""",
            "not a record",
            "",
            """{"custom_id":"only an id"}""",
            Ok,
            "{\"custom_id\":\"torn");

        Assert.Equal((1, 1, 1, 3), (report.Rows, report.Succeeded, report.Replaced, report.Damaged));
        Assert.Contains("3 lines</b> of the file are no records", html, StringComparison.Ordinal);
        Assert.Contains("1 earlier record of rows", html, StringComparison.Ordinal);
        Assert.DoesNotContain("early", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_OutputOfAnotherTool_UsesTheProvidersTimes()
    {
        (OutputReport report, string html) = await MakeAsync(
            """{"id":"batch_req_1","custom_id":"a","response":{"status_code":200,"request_id":"r","body":{"created":1769850000,"model":"m","choices":[{"text":"words"}]}},"error":null}""");

        Assert.True(report.TimesAreTheProviders);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1769850000), report.First);
        Assert.Equal(0, report.Latency.Count);
        Assert.Contains("Written by another tool", html, StringComparison.Ordinal);
        Assert.Contains("by the time when the provider answered", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Latency of the last send", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_Costs_AreAddedUpExactly()
    {
        (OutputReport report, string html) = await MakeAsync(
            [.. Enumerable.Range(0, 10).Select(i => Ok.Replace("ID", $"{i}", StringComparison.Ordinal).Replace("\"attempts\":1", i < 5 ? "\"cost\":0.1" : "\"cost\":\"0.000001\"", StringComparison.Ordinal)), Ok]);

        Assert.Equal(0.500005m, report.Cost);
        Assert.Equal(10, report.RowsWithCost);
        Assert.Contains("of the 10 rows that state it", html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"find","arguments":"{\"q\":1}"}}]}}]}""", "find({\"q\":1})")]
    [InlineData("""{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"refusal":"no"}},{"message":{"content":"c"}}]}""", "ab\nno\n\n— another choice —\n\nc")]
    [InlineData("""{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}""", "hello")]
    [InlineData("""{"data":[{"embedding":[1,2,3]},{"embedding":[1,2,3]}]}""", "2 vectors of 3 numbers")]
    [InlineData("""{"choices":[{"message":{"content":"half \ud83d pair"}}]}""", "half \ufffd pair")]
    [InlineData("""{"answer":42}""", """{"answer":42}""")]
    public async Task WriteAsync_AnyEndpoint_ShowsText(string body, string words)
    {
        (_, string html) = await MakeAsync($$$"""{"custom_id":"a","response":{"status_code":200,"body":{{{body}}}},"error":null}""");

        Assert.Equal(words, Rows(html)[0][13].GetString());
    }

    [Fact]
    public async Task WriteAsync_TextOfRows_IsNeverHtml()
    {
        string text = "</script><script>alert(1)</script>\\u2028\\u2029&<!--\\u0000😀é";
        (_, string html) = await MakeAsync(Ok.Replace("TEXT", text, StringComparison.Ordinal).Replace("ID", "<b>", StringComparison.Ordinal).Replace("\"m\"", "\"<i>\"", StringComparison.Ordinal));

        string data = DataBlock().Match(html).Groups[1].Value;
        Assert.DoesNotMatch("[<>&'\u2028\u2029\0]", data);
        Assert.Contains("é", data, StringComparison.Ordinal);
        Assert.DoesNotContain("<i>", html, StringComparison.Ordinal);
        Assert.Equal(text, Rows(html)[0][13].GetString()!.Replace("\u2028", "\\u2028", StringComparison.Ordinal).Replace("\u2029", "\\u2029", StringComparison.Ordinal).Replace("\0", "\\u0000", StringComparison.Ordinal));
        Assert.Contains("default-src 'none'; script-src 'sha256-", html, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe-", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_ExistingFile_IsReplacedOnlyIfAReport()
    {
        string output = Write("rows.jsonl", Ok);
        string page = _folder.In("rows.report.html");
        await OutputReport.WriteAsync(output, page, Ended);
        File.AppendAllText(page, "old");

        await OutputReport.WriteAsync(output, page, Ended);
        Assert.DoesNotContain("old", File.ReadAllText(page)[^50..], StringComparison.Ordinal);

        string other = Write("notes.html", "<!doctype html>\n<p>mine");
        await Assert.ThrowsAsync<IOException>(() => OutputReport.WriteAsync(output, other, Ended));
        await Assert.ThrowsAsync<IOException>(() => OutputReport.WriteAsync(output, output, Ended));
        Assert.Equal("<!doctype html>\n<p>mine\n", File.ReadAllText(other));
        Assert.Equal(3, Directory.GetFiles(_folder.Path).Length);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(page));
        }
    }

    [Fact]
    public async Task WriteAsync_NoOutput_IsRefused()
    {
        string input = Write("in.jsonl", """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}""");

        InvalidDataException refused = await Assert.ThrowsAsync<InvalidDataException>(() => OutputReport.WriteAsync(input, _folder.In("r.html"), Ended));

        Assert.Contains("is not the output of a run", refused.Message, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task WriteAsync_Table_ReadsItsLog()
    {
        Write("labels.csv", "text,answer", "a,b");
        Write("labels.csv.log.jsonl", Ok);
        using var html = new MemoryStream();

        OutputReport report = await OutputReport.WriteAsync(_folder.In("labels.csv"), html, Ended);

        Assert.Equal(1, report.Rows);
        Assert.Contains("<bdi>labels.csv.log.jsonl</bdi>", Encoding.UTF8.GetString(html.ToArray()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("reviews.csv", "reviews.csv")]
    [InlineData("labels.csv", "reviews.csv", "copy.csv")] // which of two is unknown
    [InlineData("labels.csv", "other.csv")]
    public async Task WriteAsync_OutputOfAnotherName_IsTitledByTheInputWithItsRows(string title, params string[] tables)
    {
        Write("labels.csv", "id,text,label", "1,The kettle broke.,bad");
        Write("labels.csv.log.jsonl", Ok.Replace("\"attempts\"", "\"metadata\":{\"id\":\"1\",\"text\":\"The kettle broke.\"},\"attempts\"", StringComparison.Ordinal));
        Write("broken.parquet", "PAR1");
        foreach (string table in tables)
        {
            Write(table, "id,text", table == "other.csv" ? "1,The lamp broke." : "1,The kettle broke.");
        }

        using var html = new MemoryStream();
        await OutputReport.WriteAsync(_folder.In("labels.csv"), html, Ended);

        Assert.Contains($"<title>{title}", Encoding.UTF8.GetString(html.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_OutputOfRequests_ShowsTheQuestionsOfTheFileWithTheirKeys()
    {
        const string Body = """{"model":"m","messages":[{"role":"user","content":"Why is the sky blue?"}]}""";
        Write("requests.jsonl", Body);
        Write("answers.jsonl", Ok.Replace("ID", "1", StringComparison.Ordinal)
            .Replace("\"attempts\"", $"\"key\":\"{RequestKey.Compute("/v1/chat/completions", Encoding.UTF8.GetBytes(Body))}\",\"attempts\"", StringComparison.Ordinal));
        using var html = new MemoryStream();

        await OutputReport.WriteAsync(_folder.In("answers.jsonl"), html, Ended);

        string page = Encoding.UTF8.GetString(html.ToArray());
        Assert.Contains("<title>requests.jsonl", page, StringComparison.Ordinal);
        Assert.Contains("Why is the sky blue?", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_SimulatedAnswers_AreNamed()
    {
        (_, string html) = await MakeAsync(Ok.Replace("\"attempts\"", "\"simulated\":true,\"attempts\"", StringComparison.Ordinal));

        Assert.Contains("<b>1 answer is made up</b> by the simulator", html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WriteAsync_EmptyOutput_MakesAnEmptyPage()
    {
        (OutputReport report, string html) = await MakeAsync();

        Assert.Equal(0, report.Rows);
        Assert.Empty(Rows(html));
    }

    [Fact]
    public async Task ToJson_HasTheNumbersInAscii()
    {
        (OutputReport report, _) = await MakeAsync(Ok.Replace("\"m\"", "\"modèle\\u001b\"", StringComparison.Ordinal), "damaged");

        string json = report.ToJson();

        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        Assert.Equal(1, root.GetProperty("rows").GetInt64());
        Assert.Equal(1, root.GetProperty("damaged_lines").GetInt64());
        Assert.Equal(100, root.GetProperty("latency_ms").GetProperty("p99").GetInt64());
        Assert.Equal("modèle\u001b", root.GetProperty("models")[0].GetProperty("name").GetString());
        Assert.All(json, c => Assert.InRange(c, ' ', '~'));
    }

    [Fact]
    public async Task WriteAsync_ManyNames_CountAsOthers()
    {
        (OutputReport report, _) = await MakeAsync([.. Enumerable.Range(0, 300).Select(i => Ok.Replace("ID", $"{i}", StringComparison.Ordinal).Replace("\"m\"", $"\"model {i}\"", StringComparison.Ordinal))]);

        Assert.Equal(101, report.Models.Count);
        Assert.Equal(new ReportCount("(others)", 200, ""), report.Models[0]);
    }

    [Fact]
    public async Task WriteAsync_AnswersThatAreJson_AreCountedFieldByField()
    {
        string[] texts =
        [
            """{\"mood\":\"good\",\"stars\":5,\"why\":\"It is a sturdy kettle.\",\"tags\":[\"a\"]}""",
            """```json\n{\"mood\":\"good\",\"stars\":4,\"why\":\"I like it.\"}\n```""",
            """{\"mood\":\"<b>bad</b>\",\"stars\":5,\"why\":null}""",
            "{not JSON}", "prose",
        ];
        (OutputReport report, string html) = await MakeAsync(
            [.. texts.Select((text, i) => Ok.Replace("ID", $"{i}", StringComparison.Ordinal).Replace("TEXT", text, StringComparison.Ordinal))]);

        Assert.Equal(["mood", "stars", "why"], report.AnswerFields.Select(field => field.Name));
        Assert.Equal([new("good", 2), new("<b>bad</b>", 1)], report.AnswerFields[0].Values);
        Assert.Equal([new("5", 2), new("4", 1)], report.AnswerFields[1].Values);
        Assert.Contains("<bdi>mood</bdi> <small>3 answers</small>", html, StringComparison.Ordinal);
        Assert.Contains("data-find=\"good\" data-field=\"mood\"", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<bdi>why</bdi> <small>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Most frequent answers", html, StringComparison.Ordinal);
        JsonElement json = JsonDocument.Parse(report.ToJson()).RootElement.GetProperty("answer_fields");
        Assert.Equal("""[{"name":"5","rows":2},{"name":"4","rows":1}]""", json.GetProperty("stars").GetRawText());
    }

    [GeneratedRegex("<script type=\"application/json\" id=\"rows\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex DataBlock();

    private static JsonElement[][] Rows(string html) =>
        [.. JsonDocument.Parse(DataBlock().Match(html).Groups[1].Value).RootElement.EnumerateArray().Select(row => row.EnumerateArray().ToArray())];

    private async Task<(OutputReport Report, string Html)> MakeAsync(params string[] lines)
    {
        using var html = new MemoryStream();
        OutputReport report = await OutputReport.WriteAsync(Write("rows.jsonl", lines), html, Ended);
        return (report, Encoding.UTF8.GetString(html.ToArray()));
    }

    private string Write(string name, params string[] lines)
    {
        File.WriteAllText(_folder.In(name), string.Concat(lines.Select(line => line + "\n")));
        return _folder.In(name);
    }
}
