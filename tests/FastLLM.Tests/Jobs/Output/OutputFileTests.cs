using System.Globalization;
using System.Text;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class OutputFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-output").FullName;

    private string Out => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Open_WithoutRecord_CreatesNoFile()
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
    public void Open_SecondWriter_IsRefused()
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
    public void Open_LockOfAKilledRun_IsTaken()
    {
        File.WriteAllText(Out + ".lock", "left behind");

        OutputFile.Open(Out).Dispose();

        Assert.False(File.Exists(Out + ".lock"));
    }

    [Fact]
    public async Task Open_Concurrently_OneHoldsTheLock()
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
    public void Open_DirectoryOrMissingFolder_IsRefused()
    {
        Assert.Contains("is a folder", Assert.Throws<IOException>(() => OutputFile.Open(_folder)).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<IOException>(() => OutputFile.Open(Out + "/")).Message, StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<DirectoryNotFoundException>(() => OutputFile.Open(Path.Combine(Out, "x"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SymbolicLink_IsRefused()
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
    public void Append_TornFile_IsRepaired()
    {
        File.WriteAllText(Out, Line("a") + "{\"custom_id\":");

        using OutputFile output = OutputFile.Open(Out);
        output.Append("x\n"u8);

        Assert.Equal(Line("a") + "x\n", File.ReadAllText(Out));
        Assert.Equal("{\"custom_id\":", File.ReadAllText(Out + ".torn"));
    }

    [Fact]
    public async Task Append_Concurrently_KeepsRecordsWhole()
    {
        using OutputFile output = OutputFile.Open(Out);
        await Parallel.ForAsync(0, 2_000, TestContext.Current.CancellationToken, (i, _) =>
        {
            output.Append(Encoding.UTF8.GetBytes(Line(i.ToString(CultureInfo.InvariantCulture))));
            return default;
        });

        Assert.Equal(Enumerable.Range(0, 2_000), OutputScan.Read(Out).Select(entry => int.Parse(entry.CustomId, CultureInfo.InvariantCulture)).Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Settle_DeletedAsSoonAsItWasWrittenAgain_LosesNoRecord(int times)
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Append("a\n"u8);
        output.Append("b\n"u8);
        output.OnDisturbed = _ =>
        {
            if (times-- > 0)
            {
                File.Delete(Out);
            }
        };
        File.Delete(Out);

        Assert.Equal(4, RandomAccess.GetLength(output.Settle()!));
        Assert.Equal("a\nb\n", File.ReadAllText(Out));
        Assert.Equal(4, output.Append("c\n"u8));
        Assert.Equal("a\nb\nc\n", File.ReadAllText(Out));
        Assert.Equal([Out, Out + ".lock"], Directory.EnumerateFileSystemEntries(_folder).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Settle_ReplacedAsSoonAsItWasWrittenAgain_LosesNoRecord()
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Append("a\n"u8);
        var times = 1;
        output.OnDisturbed = _ =>
        {
            if (times-- > 0)
            {
                File.Delete(Out);
                File.WriteAllText(Out, "");
            }
        };
        File.Delete(Out);

        output.Settle();

        Assert.Equal(2, output.Append("c\n"u8));
        Assert.Equal("a\nc\n", File.ReadAllText(Out));
    }

    [Fact]
    public void Settle_DeletedAgainAndAgain_ThrowsAndIsStillOpen()
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Append("a\n"u8);
        output.OnDisturbed = _ => File.Delete(Out);
        File.Delete(Out);

        Assert.Contains("again and again", Assert.Throws<IOException>(() => output.Settle()).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Out)); // no empty file in its place
    }

    [Fact]
    public void Append_FullDisk_TakesTheRecordBack()
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

    [Fact]
    public void Append_FullDiskWithReserve_WritesTheRecordAndSaysSo()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The error number of Unix.");
        const int NoSpace = 28;
        using OutputFile output = OutputFile.Open(Out);
        output.Reserve.Hold();
        output.Append("before\n"u8);
        Assert.Null(output.Reserve.Fault);
        var failures = 1;
        output.Writer = (file, record, offset) =>
        {
            RandomAccess.Write(file, failures > 0 ? record[..3] : record, offset);
            if (failures-- > 0)
            {
                throw new IOException("No space left on device", NoSpace);
            }
        };

        output.Append("into the reserve\n"u8);
        Assert.Contains("is full", output.Reserve.Fault!.Message, StringComparison.Ordinal);

        failures = 1; // no reserve is left
        Assert.Throws<IOException>(() => output.Append("lost\n"u8));
        Assert.Equal("before\ninto the reserve\n", File.ReadAllText(Out));
    }

    [Fact]
    public void Reserve_WithoutRoom_SaysThatNothingIsSent()
    {
        // Stands for a full disk: tests cannot fill one.
        using var reserve = new OutputReserve(Out) { Room = static (_, _) => throw new IOException("No space left on device") };

        reserve.Hold();

        Assert.EndsWith("out.jsonl has no room for the 4 MB that answers in flight may need, so nothing is sent.", reserve.Fault!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reserve_LeavesNoFile()
    {
        using OutputFile output = OutputFile.Open(Out);
        output.Reserve.Hold();

        Assert.SkipWhen(OperatingSystem.IsWindows(), "The file has a name there, until the process ends.");
        Assert.Equal([Out + ".lock"], Directory.EnumerateFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/full")]
    public void Open_Device_IsRefused(string device)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The devices of Linux.");

        Assert.Contains("-o -", Assert.Throws<IOException>(() => OutputFile.Open(device)).Message, StringComparison.Ordinal);
    }

    private static string Line(string id, string content = "") =>
        $$$"""{"id":"batch_req_1","custom_id":"{{{id}}}","response":{"status_code":200,"request_id":"r","body":{"content":"{{{content}}}"}},"error":null}""" + "\n";
}
