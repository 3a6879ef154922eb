using System.Globalization;
using System.Runtime.Versioning;
using System.Text;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Results;

public sealed class OutputFileTests : IDisposable
{
    private const string Key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-output").FullName;

    private string Out => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Open_WritesNothing_UntilTheFirstRecord_AndLeavesNoLitter()
    {
        using (OutputFile output = OutputFile.Open(Out))
        {
            Assert.Equal(0, output.RepairTornTail());
            Assert.Empty(OutputScan.Read(Out));
            output.Sort(3, _ => RowIndex.NoRecord);
            Assert.False(File.Exists(Out));
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder));

        using (OutputFile output = OutputFile.Open(Out))
        {
            Assert.Equal(0, output.Append("a\n"u8));
            Assert.Equal(2, output.Append("b\n"u8));
        }

        Assert.Equal([Out], Directory.GetFileSystemEntries(_folder));
        Assert.Equal("a\nb\n", File.ReadAllText(Out));
    }

    [Fact]
    public void Open_ASecondWriter_IsRefused_UntilTheFirstIsDone()
    {
        using (OutputFile first = OutputFile.Open(Out))
        {
            var refused = Assert.Throws<OutputInUseException>(() => OutputFile.Open(Out));
            Assert.Contains(Out, refused.Message, StringComparison.Ordinal);
            Assert.Throws<OutputInUseException>(() => OutputFile.Open(Out));
            first.Append("a\n"u8);
            Assert.Equal("a\n", File.ReadAllText(Out)); // others may read it
        }

        OutputFile.Open(Out).Dispose();
        Assert.False(File.Exists(Out + ".lock"));
    }

    [Fact]
    public void Open_TheLockOfAKilledRun_IsNoObstacle()
    {
        File.WriteAllText(Out + ".lock", "left behind");

        OutputFile.Open(Out).Dispose();

        Assert.False(File.Exists(Out + ".lock"));
    }

    [Fact]
    public async Task Open_ManyAtOnce_NeverTwo()
    {
        int holders = 0;
        int taken = 0;
        await Parallel.ForAsync(0, 2_000, TestContext.Current.CancellationToken, (_, _) =>
        {
            try
            {
                using OutputFile output = OutputFile.Open(Out);
                Assert.Equal(1, Interlocked.Increment(ref holders));
                Interlocked.Increment(ref taken);
                Interlocked.Decrement(ref holders);
            }
            catch (OutputInUseException)
            {
            }

            return default;
        });

        Assert.InRange(taken, 1, 2_000);
        Assert.False(File.Exists(Out + ".lock"));
    }

    [Fact]
    public void Open_ADirectory_ALink_OrNoFolder_IsRefusedWithWords()
    {
        Assert.Contains("is a directory", Assert.Throws<IOException>(() => OutputFile.Open(_folder)).Message, StringComparison.Ordinal);
        Assert.Contains("is a directory", Assert.Throws<IOException>(() => OutputFile.Open(Out + "/")).Message, StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<DirectoryNotFoundException>(() => OutputFile.Open(Path.Combine(Out, "x"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ASymbolicLink_IsRefused_AlsoADanglingOne_AndOneBesideIt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows wants a privilege for links.");
        string target = Path.Combine(_folder, "target");

        File.CreateSymbolicLink(Out, target);
        Assert.Contains("symbolic link", Assert.Throws<IOException>(() => OutputFile.Open(Out)).Message, StringComparison.Ordinal);
        File.WriteAllText(target, "precious");
        Assert.Throws<IOException>(() => OutputFile.Open(Out));
        File.Delete(Out);

        File.CreateSymbolicLink(Out + ".lock", target);
        Assert.Throws<IOException>(() => OutputFile.Open(Out));
        File.Delete(Out + ".lock");

        File.CreateSymbolicLink(Out + ".torn", target);
        File.WriteAllText(Out, "{");
        using OutputFile output = OutputFile.Open(Out);
        Assert.Throws<IOException>(() => output.RepairTornTail());
        Assert.Equal("precious", File.ReadAllText(target));
        Assert.Equal("{", File.ReadAllText(Out));
    }

    [Fact]
    public void Append_AfterACutAtAnyOfTheLast400Bytes_GluesNothing_AndKeepsWholeRows()
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
    public void Append_WithoutARepair_RepairsByItself()
    {
        File.WriteAllText(Out, Line("a") + "{\"custom_id\":");

        using OutputFile output = OutputFile.Open(Out);
        output.Append("x\n"u8);

        Assert.Equal(Line("a") + "x\n", File.ReadAllText(Out));
        Assert.Equal("{\"custom_id\":", File.ReadAllText(Out + ".torn"));
    }

    [Fact]
    public void RepairTornTail_KeepsWhatItCuts_EachTime()
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

    [Fact]
    public void Scan_KnowsWhatOthersWrite()
    {
        (string Line, bool Succeeded, bool HasKey)[] known =
        [
            ("""{"id":"batch_req_123","custom_id":"r","response":{"status_code":200,"request_id":"req_123","body":{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","error":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":22}}},"error":null}""", true, false),
            ("""{"id":"batch_req_124","custom_id":"r","response":{"status_code":400,"request_id":"req_124","body":{"error":{"message":"…","type":"invalid_request_error","param":"messages","code":null}}},"error":null}""", false, false),
            ("""{"id":"batch_req_125","custom_id":"r","response":null,"error":{"code":"batch_expired","message":"This request could not be executed."}}""", false, false),
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
    public void Scan_PassesOverWhatIsNoRecord_AndGoesOn()
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
    public void Scan_RowsOfManySizes_HaveTheirOffsetsAndLengths()
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

    [Fact]
    public async Task Append_FromManyThreads_KeepsRecordsWhole()
    {
        using OutputFile output = OutputFile.Open(Out);
        await Parallel.ForAsync(0, 2_000, TestContext.Current.CancellationToken, (i, _) =>
        {
            output.Append(Encoding.UTF8.GetBytes(Line(i.ToString(CultureInfo.InvariantCulture))));
            return default;
        });

        Assert.Equal(Enumerable.Range(0, 2_000), OutputScan.Read(Out).Select(entry => int.Parse(entry.CustomId, CultureInfo.InvariantCulture)).Order());
    }

    [Fact]
    public void Append_AFullDisk_TakesTheHalfRecordBack_AndLaterRecordsStandWhole()
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Append("whole\n"u8);
        output.Writer = (file, record, offset) =>
        {
            RandomAccess.Write(file, record[..3], offset);
            throw new IOException("No space left on device");
        };

        Assert.Throws<IOException>(() => output.Append("too much\n"u8));
        Assert.Equal("whole\n", File.ReadAllText(Out));

        output.Writer = RandomAccess.Write;
        Assert.Equal(6, output.Append("next\n"u8));
        Assert.Equal("whole\nnext\n", File.ReadAllText(Out));
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/full")]
    public void Open_RefusesADevice_AndNamesTheWayOut(string device)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The devices of Linux.");

        Assert.Contains("-o -", Assert.Throws<IOException>(() => OutputFile.Open(device)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sort_PutsRecordsInInputOrder_DropsTheOthers_AndIsDoneOnce()
    {
        using OutputFile output = OutputFile.Open(Out);
        long[] offsets = new long[6];
        Array.Fill(offsets, RowIndex.NoRecord);
        foreach (int row in (int[])[4, 1, 0, 3])
        {
            offsets[row] = output.Append(Encoding.UTF8.GetBytes(Line($"old {row}")));
        }

        offsets[1] = output.Append(Encoding.UTF8.GetBytes(Line("new 1")));
        output.Sort(6, row => offsets[row]);

        string expected = Line("old 0") + Line("new 1") + Line("old 3") + Line("old 4");
        Assert.Equal(expected, File.ReadAllText(Out));
        Assert.Equal([Out, Out + ".lock"], Directory.GetFileSystemEntries(_folder).Order(StringComparer.Ordinal));

        File.SetLastWriteTimeUtc(Out, DateTime.UnixEpoch);
        long[] sorted = [.. OutputScan.Read(Out).Select(entry => entry.Offset)];
        output.Sort(sorted.Length, row => sorted[row]);
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(Out));

        Assert.Equal(expected.Length, output.Append("after\n"u8));
        Assert.Equal(expected + "after\n", File.ReadAllText(Out));
    }

    [Fact]
    public void Sort_DropsWhatStandsBehindOrBetweenOrBefore_AlsoWhereTheRestIsInOrder()
    {
        (string File, long[] Records, string Expected)[] cases =
        [
            ("a\nb\nc\n", [0, 2], "a\nb\n"),
            ("a\nb\nc\n", [0, 4], "a\nc\n"),
            ("a\nb\nc\n", [2, 4], "b\nc\n"),
            ("a\n\nc\n", [0, 3], "a\nc\n"),
            ("a\nb\nc\n", [RowIndex.NoRecord, RowIndex.NoRecord], ""),
            ("a\nb\n", [0, 2], "a\nb\n"),
            ("", [RowIndex.NoRecord], ""),
        ];

        using OutputFile output = OutputFile.Open(Out);
        foreach ((string file, long[] records, string expected) in cases)
        {
            File.WriteAllText(Out, file);
            output.Sort(records.Length, row => records[row]);
            Assert.Equal(expected, File.ReadAllText(Out));
        }
    }

    [Theory]
    [InlineData("nearly")]
    [InlineData("random")]
    [InlineData("reverse")]
    public void Sort_ManyRowsOfAllSizes_InAnyOrder(string order)
    {
        const int Rows = 3_000;
        var random = new Random(7);
        int[] sizes = [.. Enumerable.Range(0, Rows).Select(i => i % 500 == 17 ? 900_000 + (i * 137) : random.Next(0, 3_000))];
        int[] rows = [.. Enumerable.Range(0, Rows)];
        switch (order)
        {
            case "random":
                random.Shuffle(rows);
                break;
            case "reverse":
                Array.Reverse(rows);
                break;
            default:
                rows = [.. rows.OrderBy(row => row % 100 == 5 ? row + 1_000 : row + random.Next(50))];
                break;
        }

        using OutputFile output = OutputFile.Open(Out);
        long[] offsets = new long[Rows];
        foreach (int row in rows)
        {
            offsets[row] = output.Append(Encoding.UTF8.GetBytes(Line(row.ToString(CultureInfo.InvariantCulture), new string('x', sizes[row]))));
        }

        output.Sort(Rows, row => offsets[row]);

        int next = 0;
        foreach (OutputEntry entry in OutputScan.Read(Out))
        {
            Assert.Equal((next.ToString(CultureInfo.InvariantCulture), true), (entry.CustomId, entry.Succeeded));
            Assert.Equal(Line(entry.CustomId, new string('x', sizes[next])).Length, entry.Length);
            next++;
        }

        Assert.Equal(Rows, next);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Sort_KeepsTheFilesMode_AndReplacesWhatAKilledSortLeft()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "No modes there.");
        File.Create(Path.Combine(_folder, "plain")).Dispose();
        File.WriteAllText(Out + ".tmp", "half");
        using OutputFile output = OutputFile.Open(Out);
        output.Append("b\n"u8);
        output.Append("a\n"u8);

        output.Sort(2, row => 2 - (2 * row));
        Assert.Equal("a\nb\n", File.ReadAllText(Out));
        Assert.Equal(File.GetUnixFileMode(Path.Combine(_folder, "plain")), File.GetUnixFileMode(Out));

        File.SetUnixFileMode(Out, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        output.Sort(2, row => 2 - (2 * row));
        Assert.Equal("b\na\n", File.ReadAllText(Out));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Out));

        File.AppendAllText(Out, "{torn");
        output.RepairTornTail();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Out + ".torn"));
    }

    [Fact]
    public void Sort_ThatFails_LeavesTheLogAsItWas()
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Append("b\n"u8);
        output.Append("a\n"u8);

        Assert.Throws<IOException>(() => output.Sort(2, row => 1_000 - (1_000 * row)));

        Assert.Equal("b\na\n", File.ReadAllText(Out));
        Assert.False(File.Exists(Out + ".tmp"));
    }

    [Fact]
    public void TryFlush_FlushesADirectory_AndOnlySuch()
    {
        Assert.Equal(!OperatingSystem.IsWindows(), DirectorySync.TryFlush(_folder));
        Assert.False(DirectorySync.TryFlush(Path.Combine(_folder, "none")));
    }

    private static string Line(string id, string content = "") =>
        $$$"""{"id":"batch_req_1","custom_id":"{{{id}}}","response":{"status_code":200,"request_id":"r","body":{"content":"{{{content}}}"}},"error":null}""" + "\n";
}
