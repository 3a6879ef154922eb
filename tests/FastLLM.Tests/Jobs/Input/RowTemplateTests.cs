using System.IO.Compression;
using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Input;
using FastLLM.Requests;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Jobs.Input;

/// <summary>Plain rows become requests: values stay text, errors have their line, and equal requests have equal keys.</summary>
public sealed class RowTemplateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("Classify: {{text}}", "Classify: T")]
    [InlineData("{{ text }}{{text}}", "TT")]
    [InlineData("{{{text}}}", "{T}")]
    [InlineData("{\"x\": \"{{text}}\"}", "{\"x\": \"T\"}")]
    [InlineData("{{{{text}} is {{text}}", "{{text}} is T")]
    [InlineData("{{{{{text}}", "{{{text}}")]
    [InlineData("{{{{{{text}}", "{{T")]
    [InlineData("a } b }} c { d", "a } b }} c { d")]
    [InlineData("{{with space}}", "W")]
    [InlineData("{{number}}", "1.50")]
    [InlineData("{{big}}", "123456789012345678901234567890")]
    [InlineData("{{flag}}, {{list}}", "true, [1, \"a\"]")]
    [InlineData("{{empty}}.", ".")]
    public async Task Read_Template_IsFilledWithTheRow(string template, string expected)
    {
        InputRow row = Assert.Single(await ReadAsync(
            """{"text":"T","with space":"W","number":1.50,"big":123456789012345678901234567890,"flag":true,"list":[1, "a"],"empty":""}""", new RowTemplate { Prompt = template }));

        Assert.Null(row.Error);
        Assert.Equal(expected, row.Request!.Messages[0].Content!.ToString());
    }

    [Theory]
    [InlineData("{{text", "without closing braces")]
    [InlineData("{{}}", "names no column")]
    [InlineData("{{ }}", "names no column")]
    [InlineData("{{a{b}}", "names no column")]
    [InlineData(" ", "empty")]
    public void Check_WrongTemplate_Throws(string template, string says) =>
        Assert.Contains(says, Assert.Throws<ArgumentException>(() => new RowTemplate { Prompt = template }.Check()).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("effort", "high", "Text needs quotes: --set 'effort=\"high\"'")]
    [InlineData("temperature", "0,2", "not JSON")]
    [InlineData("temperature", "", "not JSON")]
    [InlineData("response_format", "{\"a\":1,\"a\":2}", "not JSON")]
    [InlineData("messages", "[]", "cannot be set")]
    [InlineData("stream", "true", "cannot be set")]
    public void Check_WrongParameter_Throws(string name, string json, string says)
    {
        var template = new RowTemplate { Prompt = "{{text}}", Parameters = { [name] = json } };

        Assert.Contains(says, Assert.Throws<ArgumentException>(template.Check).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"role\":\"user\"}")]
    [InlineData("[\"hi\"]")]
    [InlineData("[{\"content\":\"hi\"}]")]
    [InlineData("[{\"role\":\"user\",\"content\":\"{{a\"}]")]
    [InlineData("no JSON")]
    public void Check_WrongMessages_Throw(string messages) =>
        Assert.Throws<ArgumentException>(() => new RowTemplate { Messages = messages }.Check());

    /// <summary>Name, input, its format, and the error: of a line, or of the whole input (line 0).</summary>
    public static TheoryData<string, string, string, long, string> Mistakes => new()
    {
        { "a column that is not there, JSON lines", """{"t":"x"}""", "auto", 1, "There is no column \"text\". The columns are: t." },
        { "a column that one row lacks", "{\"text\":\"x\"}\n{\"other\":1}\n", "auto", 2, "There is no column \"text\"" },
        { "a value that is null", "{\"text\":\"x\"}\n\n{\"text\":null}\n", "auto", 3, "--allow-missing" },
        { "a member twice", """{"text":"x","text":"y"}""", "auto", 1, "twice" },
        { "no object", "{\"text\":\"a\"}\n[1]\n", "auto", 2, "not a JSON object" },
        { "broken JSON", "{\"text\":\"a\"}\n{\"text\"\n", "auto", 2, "" },
        { "half a surrogate pair", """{"text":"\ud800"}""", "auto", 1, "surrogate" },
        { "half a surrogate pair that the template does not use", """{"text":"\ud83d\ude00","other":[["\uDC00"]]}""", "auto", 1, "surrogate" },
        { "half a surrogate pair in a name", """{"text":"x","other":{"\udc00":1}}""", "auto", 1, "surrogate" },
        { "an id without value", "{\"text\":\"a\",\"custom_id\":null}", "auto", 1, "custom_id" },
        { "a column that is not there, table", "id,body\n1,x\n", "csv", 0, "{{text}}, but there is no such column. The columns are: id, body." },
        { "an empty cell", "text,b\nx,1\n,2\n", "csv", 3, "--allow-missing" },
        { "a row too short", "text,b\n\"x\ny\",1\nz\n", "csv", 4, "has 1 cell, but the header names 2 columns" },
        { "a row too long", "text,b\nx,1,2\n", "csv", 2, "has 3 cells" },
        { "a column twice", "text,b, text \n", "csv", 0, "two columns are called \"text\"" },
        { "an open quote", "text,b\nx,1\n\"y,2\nz,3\n", "csv", 3, "never closed" },
        { "an empty table", "", "csv", 0, "empty" },
        { "an element of a JSON array", "[\n{\"text\":\"x\"},\n{\"t\":1}]\n", "auto", 3, "Element 2 of the array: There is no column \"text\"" },
        { "a JSON array that is cut off", "[\n{\"text\":\"x\"},\n{\"t\":", "auto", 0, "ends inside element 2, which begins in line 3" },
        { "half a surrogate pair in UTF-16", "\uFEFFtext\nx\n{half}\n", "utf16", 0, "UTF-16" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task Read_Error_HasItsLine(string what, string input, string format, long line, string says)
    {
        Assert.NotEmpty(what);
        input = input.Replace("{half}", "\uD800", StringComparison.Ordinal); // a runner may not pass it on
        byte[] bytes = format == "utf16" ? [.. System.Runtime.InteropServices.MemoryMarshal.AsBytes(input.AsSpan())] : Encoding.UTF8.GetBytes(input);
        InputFormat read = format == "csv" ? InputFormat.Csv : InputFormat.Auto;
        var template = new RowTemplate { Prompt = "{{text}}" };
        if (line == 0)
        {
            var fault = await Assert.ThrowsAsync<InvalidDataException>(() => ReadAsync(bytes, template, read));
            Assert.Contains(says, fault.Message, StringComparison.Ordinal);
            return;
        }

        List<InputRow> rows = await ReadAsync(bytes, template, read);
        InputRow wrong = Assert.Single(rows, row => row.Error is not null);
        Assert.Equal(line, wrong.Line);
        Assert.Contains(says, wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_CookbookMetadataWithHalfASurrogatePair_IsAnError()
    {
        byte[] input = """{"metadata":{"a":"\ud800"},"model":"m","messages":[]}"""u8.ToArray();

        InputRow row = Assert.Single(await ReadAsync(input, template: null, InputFormat.Cookbook));

        Assert.Contains("surrogate", row.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_TableWithoutTemplate_NamesTheOption()
    {
        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => ReadAsync("text,label\nx,y\n"u8.ToArray(), null, InputFormat.Csv));

        Assert.Contains("--template 'Summarize: {{text}}'. Its columns are: text, label.", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_AllowMissing_UsesEmptyText()
    {
        var template = new RowTemplate { Prompt = "<{{a}}|{{b}}>", AllowMissing = true };

        Assert.Equal(["<1|>", "<|2>"], (await ReadAsync("a,b\n1,\n,2\n"u8.ToArray(), template, InputFormat.Csv)).Select(Text));
        Assert.Equal(["<1|>", "<|2>"], (await ReadAsync("{\"a\":1}\n{\"a\":null,\"b\":2}\n"u8.ToArray(), template)).Select(Text));
    }

    /// <summary>The same two requests in every format; an id column makes their ids equal too.</summary>
    public static TheoryData<string, string, InputFormat> Forms => new()
    {
        { "JSON lines", "{\"id\":\"007\",\"q\":\"How \\\"much\\\"?\\nReally: 1.50\",\"n\":1}\n{\"n\":2,\"q\":\"{{q}} é\",\"id\":\"8\"}\n", InputFormat.Auto },
        { "JSON lines, told", "{\"id\":\"007\",\"q\":\"How \\\"much\\\"?\\nReally: 1.50\"}\n{\"q\":\"{{q}} \\u00e9\",\"id\":8}\n", InputFormat.Jsonl },
        { "CSV", "id,q\n007,\"How \"\"much\"\"?\nReally: 1.50\"\n8,{{q}} é\n", InputFormat.Csv },
        { "CSV with CR LF and BOM", "\uFEFFq,id\r\n\"How \"\"much\"\"?\nReally: 1.50\",007\r\n{{q}} é,8", InputFormat.Csv },
        { "CSV with semicolons", "id;q\n007;\"How \"\"much\"\"?\nReally: 1.50\"\n8;{{q}} é\n", InputFormat.Csv },
        { "TSV", "id\tq\n007\t\"How \"\"much\"\"?\nReally: 1.50\"\n8\t{{q}} é\n", InputFormat.Tsv },
        { "CSV by its look", "id,q\n007,\"How \"\"much\"\"?\nReally: 1.50\"\n8,{{q}} é\n", InputFormat.Auto },
        { "TSV by its look", "id\tq\n007\t\"How \"\"much\"\"?\nReally: 1.50\"\n8\t{{q}} é\n", InputFormat.Auto },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task Read_SameRequestInAnyFormat_HasTheSameKey(string what, string input, InputFormat format)
    {
        Assert.NotEmpty(what);
        byte[] batch = """
            {"custom_id":"007","method":"POST","url":"/v1/chat/completions","body":{"temperature":0.20,"messages":[{"role":"system","content":"Brief."},{"role":"user","content":"Q: How \"much\"?\nReally: 1.50"}],"model":"m"}}
            {"custom_id":"8","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"content":"Brief.","role":"system"},{"role":"user","content":"Q: {{q}} é"}],"temperature":2e-1}}
            """u8.ToArray();
        List<InputRow> expected = await ReadAsync(batch, null);
        byte[] bytes = Encoding.UTF8.GetBytes(input);
        var template = new RowTemplate { Prompt = "Q: {{q}}", System = "Brief.", IdColumn = "id", Parameters = { ["temperature"] = "0.2" } };

        foreach (byte[] form in (byte[][])[bytes, Packed(bytes), [.. Packed(bytes[..10]), .. Packed(bytes[10..])]])
        {
            List<InputRow> rows = await ReadAsync(form, template, format);
            Assert.Equal(expected.Select(row => (row.Id, row.Request!.Key)), rows.Select(row => (row.Id, row.Request!.Key)));
        }
    }

    [Fact]
    public async Task Read_CutGzip_Throws()
    {
        byte[] packed = Packed(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 50).Select(i => $"{{\"text\":\"{i}\"}}\n"))));

        for (int length = 11; length < packed.Length; length++)
        {
            await Assert.ThrowsAsync<InvalidDataException>(() => ReadAsync(packed[..length], new RowTemplate { Prompt = "{{text}}" }));
        }
    }

    [Fact]
    public void Create_AnyValue_StaysInItsText()
    {
        Gen<string> value = Gen.Elements("a", "\"", "\\", "{{b}}", "{{", "}}", "\",\"role\":\"system\"", "\n", "\u0000", "\u001F", "é", "😀", "\u2028", "</script>", "%s", "{{file:a}}").ListOf()
            .Select(parts => string.Concat(parts));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(value.ToArbitrary(), value.ToArbitrary(), (a, b) =>
        {
            byte[] line = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["a"] = a, ["b"] = b });
            var template = new RowTemplate { Messages = """[{"role":"user","content":[{"type":"text","text":"<{{a}}> {{b}}"}],"name":"{{b}}"}]""", Parameters = { ["seed"] = "7" } };
            InputRow row = ReadAsync(line, template).GetAwaiter().GetResult()[0];
            using JsonDocument body = JsonDocument.Parse(row.Request!.Body);
            JsonElement message = body.RootElement.GetProperty("messages")[0];

            Assert.Equal(["model", "messages", "seed"], body.RootElement.EnumerateObject().Select(member => member.Name));
            Assert.Equal(1, body.RootElement.GetProperty("messages").GetArrayLength());
            Assert.Equal(["role", "content", "name"], message.EnumerateObject().Select(member => member.Name));
            Assert.Equal($"<{a}> {b}", message.GetProperty("content")[0].GetProperty("text").GetString());
            Assert.Equal(b, message.GetProperty("name").GetString());
        }));
    }

    [Theory]
    [InlineData(Endpoints.Embeddings, """{"model":"m","input":"T"}""")]
    [InlineData(Endpoints.Completions, """{"model":"m","prompt":"T"}""")]
    [InlineData(Endpoints.Responses, """{"model":"m","instructions":"S T","input":"T"}""")]
    [InlineData(Endpoints.ChatCompletions, """{"model":"m","messages":[{"role":"system","content":"S T"},{"role":"user","content":"T"}]}""")]
    public async Task Read_Endpoint_GetsItsBody(string endpoint, string body)
    {
        var template = new RowTemplate { Prompt = "{{text}}", Endpoint = endpoint, System = endpoint is Endpoints.Responses or Endpoints.ChatCompletions ? "S {{text}}" : null };

        InputRow row = Assert.Single(await ReadAsync("""{"text":"T"}""", template));

        Assert.Equal((endpoint, body), (row.Request!.Endpoint, Encoding.UTF8.GetString(row.Request.Body.Span)));
    }

    [Fact]
    public async Task Read_FilesOutsideTheFolder_AreRefused()
    {
        string data = Directory.CreateDirectory(Path.Combine(_folder, "data")).FullName;
        await File.WriteAllBytesAsync(Path.Combine(data, "a.png"), [1, 2, 3], Ended);
        await File.WriteAllBytesAsync(Path.Combine(_folder, "secret.png"), [4], Ended);
        File.CreateSymbolicLink(Path.Combine(data, "link.png"), Path.Combine(_folder, "secret.png"));
        File.CreateSymbolicLink(Path.Combine(data, "up"), _folder);
        await File.WriteAllTextAsync(Path.Combine(data, "a.txt"), "x", Ended);
        string[] wrong = ["../secret.png", "link.png", "up/secret.png", Path.Combine(_folder, "secret.png"), "/etc/passwd", "none.png", "a.txt", "", "data/../../secret.png", "a\u0000.png"];
        string input = string.Concat(wrong.Prepend("a.png").Select(path => JsonSerializer.Serialize(new Dictionary<string, string> { ["image"] = path }) + "\n"));
        var template = new RowTemplate { Messages = """[{"role":"user","content":[{"type":"image_url","image_url":{"url":"{{file:image}}"}}]}]""" };

        List<InputRow> rows = await ReadAsync(Encoding.UTF8.GetBytes(input), template, filesBelow: data);

        Assert.Contains("\"url\":\"data:image/png;base64,AQID\"", Encoding.UTF8.GetString(rows[0].Request!.Body.Span), StringComparison.Ordinal);
        Assert.Equal(wrong.Length, rows.Count(row => row.Error is not null || Encoding.UTF8.GetString(row.Request!.Body.Span).Contains("\"url\":\"\"", StringComparison.Ordinal)));
        Assert.All(rows.Skip(1), row => Assert.DoesNotContain("BA==", row.Request is { } request ? Encoding.UTF8.GetString(request.Body.Span) : "", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Read_Columns_BecomeMetadata()
    {
        InputRow line = Assert.Single(await ReadAsync("""{"text":"T", "n":1.50,"o":{"a":[]}}""", new RowTemplate { Prompt = "{{text}}" }));
        Assert.Equal("""{"text":"T", "n":1.50,"o":{"a":[]}}""", Encoding.UTF8.GetString(line.Metadata.Span));

        InputRow cells = Assert.Single(await ReadAsync("text,n,\nT,007,\"x\"\"\"\n"u8.ToArray(), new RowTemplate { Prompt = "{{text}}" }, InputFormat.Csv));
        Assert.Equal("""{"text":"T","n":"007","column_3":"x\""}""", Encoding.UTF8.GetString(cells.Metadata.Span));
    }

    private static string Text(InputRow row) => row.Request!.Messages[0].Content!.ToString();

    private static byte[] Packed(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }

    private static Task<List<InputRow>> ReadAsync(string input, RowTemplate template) => ReadAsync(Encoding.UTF8.GetBytes(input), template);

    private static async Task<List<InputRow>> ReadAsync(byte[] input, RowTemplate? template, InputFormat format = InputFormat.Auto, string filesBelow = ".")
    {
        var rows = new List<InputRow>();
        using var reader = new InputReader(new MemoryStream(input), format, "m", template is null ? null : new RowRequests(template, "m", filesBelow));
        while (await reader.ReadAsync(CancellationToken.None) is { } row)
        {
            rows.Add(row);
        }

        return rows;
    }
}
