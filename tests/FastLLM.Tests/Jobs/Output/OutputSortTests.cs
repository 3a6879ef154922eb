using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using System.Text;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class OutputSortTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-output").FullName;

    private string Out => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Sort_RecordsInAnyOrder_AreInInputOrder()
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
    public void Sort_OtherRecords_AreDropped()
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
    public void Sort_ManySizes_AreInInputOrder(string order)
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
    public void Sort_File_KeepsItsMode()
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
    public void Sort_Failing_LeavesTheFile()
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Append("b\n"u8);
        output.Append("a\n"u8);

        Assert.Throws<IOException>(() => output.Sort(2, row => 1_000 - (1_000 * row)));

        Assert.Equal("b\na\n", File.ReadAllText(Out));
        Assert.False(File.Exists(Out + ".tmp"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_000)]
    public void Sort_NewFileCutWhileItIsWritten_LeavesTheFile(long length)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only there, a file in use can be cut with a program that all machines have.");
        using OutputFile output = OutputFile.Open(Out);
        output.Append(Encoding.UTF8.GetBytes(Line("b", new string('b', 3_000_000))));
        long second = output.Append(Encoding.UTF8.GetBytes(Line("a", new string('a', 3_000_000))));
        byte[] before = File.ReadAllBytes(Out);

        var fault = Assert.Throws<IOException>(() => output.Sort(2, row => row == 0 ? second : 0, (row, _) =>
        {
            if (row == 1)
            {
                using Process cut = Process.Start("truncate", ["-s", length.ToString(CultureInfo.InvariantCulture), Out + ".tmp"]);
                cut.WaitForExit();
            }

            return true;
        }));

        Assert.Contains("while it was written", fault.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Out));
        Assert.False(File.Exists(Out + ".tmp"));
    }

    [Fact]
    public void TryFlush_Directory_IsFlushed()
    {
        Assert.Equal(!OperatingSystem.IsWindows(), DirectorySync.TryFlush(_folder));
        Assert.False(DirectorySync.TryFlush(Path.Combine(_folder, "none")));
    }

    private static string Line(string id, string content = "") =>
        $$$"""{"id":"batch_req_1","custom_id":"{{{id}}}","response":{"status_code":200,"request_id":"r","body":{"content":"{{{content}}}"}},"error":null}""" + "\n";
}
