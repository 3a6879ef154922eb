using System.Globalization;
using System.Text;
using FastLLM.Jobs.Output;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class OutputScanTests : IDisposable
{
    private const string Key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-output").FullName;

    private string Out => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Read_RecordsOfOtherTools_AreUnderstood()
    {
        (string Line, bool Succeeded, bool HasKey)[] known =
        [
            ("""{"id":"batch_req_123","custom_id":"r","response":{"status_code":200,"request_id":"req_123","body":{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","error":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":22}}},"error":null}""", true, false),
            ("""{"id":"batch_req_124","custom_id":"r","response":{"status_code":400,"request_id":"req_124","body":{"error":{"message":"…","type":"invalid_request_error","param":"messages","code":null}}},"error":null}""", false, false),
            ("""{"id":"batch_req_125","custom_id":"r","response":null,"error":{"code":"batch_expired","message":"This request could not be executed."}}""", false, false),
            ("""{"id":"batch_req_00112233445566778899aabb","custom_id":"r","response":{"status_code":200,"request_id":"KEY","body":{"choices":[]}},"error":null}""", true, true),
            ("""{"id":"batch_req_112233445566778899aabbcc","custom_id":"r","response":{"status_code":200,"request_id":"KEY","body":{"choices":[]}},"error":null}""", true, false),
            ("""{"id":"vllm-1","custom_id":"r","response":{"status_code":200,"request_id":"vllm-batch-1","body":{"id":"cmpl-1","choices":[]}},"error":null}""", true, false),
            ("""{"id":"vllm-2","custom_id":"r","response":{"status_code":400,"request_id":"vllm-batch-2","body":null},"error":"bad"}""", false, false),
            ("""{"id":"vllm-3","custom_id":"r","response":{"status_code":400,"request_id":"vllm-batch-3","body":null},"error":{"object":"error","message":"bad","code":400}}""", false, false),
            ("""{"id":"vllm-4","custom_id":"r","response":{"status_code":200,"request_id":"x","body":{"error":{"message":"x"}}},"error":null}""", false, false),
            ("""{"id":"x","custom_id":"r","response":{"status_code":200,"body":{"id":"resp_1","error":null,"output":[]}},"error":null}""", true, false),
            ("""{"id":"x","custom_id":"r","response":{"status_code":200,"body":null},"error":null}""", false, false),
            ("""{"id":"x","custom_id":"r","response":{"status_code":200},"error":null}""", false, false),
            ("""{"id":"x","custom_id":"r","response":{"status_code":"200","body":{}},"error":null}""", false, false),
            ("""{"id":"x","custom_id":"r","response":{"status_code":302,"body":{}},"error":null}""", false, false),
            ("""{"id":"x","custom_id":"r","response":{"status_code":200,"body":{}}}""", true, false),
            ("""{"error":null,"response":{"body":{},"status_code":201},"custom_id":"r","fastllm":{"attempts":1,"key":"KEY","metadata":{"key":"x"}}}""", true, true),
            ("""{"custom_id":"\u0072","response":{"status_code":200,"body":{}},"error":null,"fastllm":{"key":"KEY"}}""", true, true),
            ("""{"custom_id":"r","response":{"status_code":200,"body":{}},"error":null,"fastllm":{"key":"KE"}}""", true, false),
            ("""{"custom_id":"r","response":{"status_code":200,"body":{}},"error":null,"fastllm":{"key":{"key":"KEY"}}}""", true, false),
            ("""{"custom_id":"r","response":{"status_code":200,"body":{}},"error":null,"fastllm":null}""", true, false),
            ("""  { "custom_id" : "r" , "response" : { "status_code" : 200 , "body" : { } } , "error" : null }  """ + "\r", true, false),
        ];
        File.WriteAllText(Out, string.Concat(known.Select(k => k.Line.Replace("KEY", Key, StringComparison.Ordinal) + "\n")));

        using OutputFile output = OutputFile.Open(Out);
        OutputEntry[] entries = [.. OutputScan.Read(Out)];

        Assert.All(entries, entry => Assert.False(entry.IsDamaged));
        Assert.All(entries, entry => Assert.Equal("r", entry.CustomId));
        Assert.Equal(known.Select(k => k.Succeeded), entries.Select(entry => entry.Succeeded));
        Assert.Equal(known.Select(k => k.HasKey ? RequestKey.Parse(Key) : (RequestKey?)null), entries.Select(entry => entry.Key));
    }

    [Fact]
    public void Read_DamagedLines_AreReturnedAsDamaged()
    {
        string[] damaged =
        [
            "nonsense", "{", "[]", "null", "{}", "{\"custom_id\":\"r\"}", "{\"custom_id\":\"r\",\"method\":\"POST\",\"url\":\"/v1/x\",\"body\":{}}",
            "{\"custom_id\":7,\"response\":null,\"error\":{}}", "{\"response\":null,\"error\":{}}", Line("r")[..^5], Line("r").TrimEnd() + Line("s").TrimEnd(),
            "{\"custom_id\":\"\\ud83d\",\"response\":null,\"error\":{}}", "\0\0\0" + Line("r").TrimEnd(),
        ];
        File.WriteAllBytes(Out, [.. "\uFEFF"u8, .. Encoding.UTF8.GetBytes(Line("a") + "\n \r\n" + string.Join('\n', damaged) + "\n"), .. "{\"custom_id\":\"\xff"u8[..^2], 0xFF, .. "\",\"error\":{}}\n"u8, .. Encoding.UTF8.GetBytes(Line("b").TrimEnd())]);

        using OutputFile output = OutputFile.Open(Out);
        OutputEntry[] entries = [.. OutputScan.Read(Out)];

        Assert.Equal(["a", .. Enumerable.Repeat("", damaged.Length + 1), "b"], entries.Select(entry => entry.CustomId));
        Assert.All(entries[1..^1], entry => Assert.True(entry is { IsDamaged: true, Succeeded: false, Key: null }));
        Assert.True(entries[^1].Succeeded);
        Assert.Equal(3, entries[0].Offset);
    }

    [Fact]
    public void Read_AnySizes_HaveOffsetsAndLengths()
    {
        // Around the edges of what is read at once, and beyond it.
        int[] sizes = [1, 1_048_300, 200, 3_500_000, 5, 1_048_576 - 200, .. Enumerable.Range(1_048_400, 60), 10];
        string[] lines = [.. sizes.Select((size, i) => Line(i.ToString(CultureInfo.InvariantCulture), new string('x', size)))];
        File.WriteAllText(Out, string.Concat(lines));

        using OutputFile output = OutputFile.Open(Out);
        OutputEntry[] entries = [.. OutputScan.Read(Out)];

        long offset = 0;
        Assert.Equal(lines.Length, entries.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Equal((offset, lines[i].Length, i.ToString(CultureInfo.InvariantCulture), true), (entries[i].Offset, entries[i].Length, entries[i].CustomId, entries[i].Succeeded));
            offset += lines[i].Length;
        }
    }

    private static string Line(string id, string content = "") =>
        $$$"""{"id":"batch_req_1","custom_id":"{{{id}}}","response":{"status_code":200,"request_id":"r","body":{"content":"{{{content}}}"}},"error":null}""" + "\n";
}
