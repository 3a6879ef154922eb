using System.Text;
using FastLLM.Jobs.Output;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class TornTailTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-output").FullName;

    private string Out => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Repair_CutAnywhere_KeepsWholeRecords()
    {
        string[] lines = [.. Enumerable.Range(0, 5).Select(i => Line($"row {i}", new string('é', 30)))];
        byte[] whole = Encoding.UTF8.GetBytes(string.Concat(lines));
        int[] ends = [.. lines.Select((_, i) => Encoding.UTF8.GetByteCount(string.Concat(lines[..(i + 1)])))];
        for (int cut = whole.Length; cut >= whole.Length - 400; cut--)
        {
            File.WriteAllBytes(Out, whole[..cut]);
            File.Delete(Out + ".torn");
            int kept = ends.Count(end => end - 1 <= cut); // whole even without its LF

            using (OutputFile output = OutputFile.Open(Out))
            {
                long torn = output.RepairTornTail();
                Assert.Equal(Math.Max(0, cut - (kept == 0 ? 0 : ends[kept - 1])), torn);
                Assert.Equal(torn, File.Exists(Out + ".torn") ? new FileInfo(Out + ".torn").Length : 0);
                Assert.Equal(lines[..kept], OutputScan.Read(Out).Select(entry => lines.Single(line => line.Contains(entry.CustomId, StringComparison.Ordinal))));
                output.Append(Encoding.UTF8.GetBytes(Line("next")));
            }

            Assert.Equal(string.Concat(lines[..kept]) + Line("next"), File.ReadAllText(Out));
        }
    }

    [Fact]
    public void Repair_Repeatedly_KeepsWhatItCuts()
    {
        using OutputFile output = OutputFile.Open(Out);
        File.WriteAllText(Out, "{\"first");
        Assert.Equal(7, output.RepairTornTail());
        Assert.Equal("", File.ReadAllText(Out));

        File.WriteAllBytes(Out, [.. Encoding.UTF8.GetBytes(Line("a") + "{\"second"), .. new byte[200_000]]);
        Assert.Equal(200_008, output.RepairTornTail());
        Assert.Equal(Line("a"), File.ReadAllText(Out));
        Assert.Equal([.. "{\"first\n{\"second"u8, .. new byte[200_000]], File.ReadAllBytes(Out + ".torn"));

        File.WriteAllBytes(Out, [.. Encoding.UTF8.GetBytes(Line("a")), .. new byte[4096]]);
        Assert.Equal(4096, output.RepairTornTail());
        Assert.Equal(Line("a"), File.ReadAllText(Out));

        File.WriteAllText(Out, Line("a") + "{\"custom_id\":\"" + new string('x', 3_000_000));
        Assert.Equal(3_000_014, output.RepairTornTail());
        Assert.Equal(Line("a"), File.ReadAllText(Out));
        Assert.Equal(0, output.RepairTornTail());
    }

    private static string Line(string id, string content = "") =>
        $$$"""{"id":"batch_req_1","custom_id":"{{{id}}}","response":{"status_code":200,"request_id":"r","body":{"content":"{{{content}}}"}},"error":null}""" + "\n";
}
