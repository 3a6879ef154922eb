using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>Something else deletes, moves, cuts or replaces the output while a run writes it: no run is done before each row was read back.</summary>
public sealed class DisturbedOutputTests : EngineTest, IDisposable
{
    private const int Rows = 300;

    private static readonly byte[] s_answer =
        """{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}"""u8.ToArray();

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];
    private readonly InMemoryCache _cache = new();
    private int _sends;

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Home => Path.Combine(_folder, "home");

    private string Output => Path.Combine(Home, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Disturbances => new(
        "deleted", "moved", "moved and back", "replaced", "replaced by nothing", "folder removed", "folder moved", "appended to", "cut", "cut in a record", "emptied",
        "emptied and filled", "zeros", "lock deleted", "lock is a folder", "deleted twice", "same length", "directory");

    [Theory]
    [MemberData(nameof(Disturbances))]
    public async Task Run_OutputDisturbed_EveryRowIsThere(string how)
    {
        JobResult result = await RunAsync(how, withCache: true);

        Assert.Null(result.Stopped);
        Assert.Equal((0L, Rows, Rows), (result.Pending, result.Answered, _sends));
        AssertWhole();
        Assert.False(File.Exists(Output + ".lock"));
        Assert.False(File.Exists(Output + ".tmp"));
    }

    [Theory]
    [MemberData(nameof(Disturbances))]
    public async Task Run_OutputDisturbedWithoutCache_LossIsCountedAndTheNextRunCompletesIt(string how)
    {
        JobResult result = await RunAsync(how, withCache: false);
        int sent = _sends;
        Assert.Equal(Rows, result.Answered + result.Pending + result.Kept);
        if (result.Pending == 0)
        {
            Assert.Null(result.Stopped);
        }
        else
        {
            Assert.Equal(FailureKind.Output, result.Stopped!.Kind);
            Assert.Contains($"{result.Pending} rows of {Output} are lost", result.Stopped.Message, StringComparison.Ordinal);
        }

        if (how == "lock is a folder")
        {
            // A run begins only where it can take the lock.
            Directory.Delete(Output + ".lock");
        }

        JobResult again = await RunAsync(how: null, withCache: false);

        Assert.Null(again.Stopped);
        Assert.Equal(result.Pending, _sends - sent);
        AssertWhole();
    }

    [Theory]
    [InlineData("deleted")]
    [InlineData("cut")]
    [InlineData("emptied")]
    [InlineData("zeros")]
    public async Task Run_LogOfATableDisturbed_TableIsWhole(string how)
    {
        JobResult result = await RunAsync(how, withCache: true, name: "out.csv");

        Assert.Null(result.Stopped);
        Assert.Equal(Rows + 1, File.ReadAllLines(Path.Combine(Home, "out.csv")).Length);
    }

    [Fact]
    public async Task Run_OutputDisturbedWhileAllRowsAreKept_IsReadBackToo()
    {
        await RunAsync(how: null, withCache: true);
        string[] lines = File.ReadAllLines(Output);
        lines[7] = lines[7][..40] + new string('\0', lines[7].Length - 40);
        await File.WriteAllTextAsync(Output, string.Join('\n', lines) + '\n', Ended);

        JobResult result = await RunAsync(how: null, withCache: true);

        Assert.Null(result.Stopped);
        Assert.Equal(Rows + 1, _sends); // of another server, for which the cache has no answer
        AssertWhole();
    }

    [Fact]
    public async Task Run_SecondRunAfterTheLockWasDeleted_IsRefused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The lock on the output itself is Linux's.");
        IOException? refused = null;
        JobResult result = await RunAsync("second", withCache: true, second: () => refused = Assert.ThrowsAny<IOException>(() => OutputFile.Open(Output)));

        Assert.NotNull(refused);
        Assert.Null(result.Stopped);
        AssertWhole();
    }

    [Fact]
    public async Task Run_LockAndOutputDeletedAndASecondRunStarted_StopsAndKeepsItsRecords()
    {
        OutputFile? other = null;
        JobResult result = await RunAsync("second", withCache: false, second: () =>
        {
            if (other is null)
            {
                File.Delete(Output);
                other = OutputFile.Open(Output);
                other.Append("{}\n"u8);
            }
        });
        other!.Dispose();

        Assert.Equal(FailureKind.Output, result.Stopped!.Kind);
        Assert.Contains("Another run is writing", result.Stopped.Message, StringComparison.Ordinal);
        Assert.Equal("{}\n", await File.ReadAllTextAsync(Output, Ended));
        Assert.InRange(File.ReadAllLines(Output + ".bak").Length, 100, 220);
        Assert.Single(_notices, text => text.Contains(".bak", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_FailedRowsLost_AreSentAgainByTheNextRun()
    {
        JobResult result = await RunAsync("emptied", withCache: true, fails: true);

        Assert.Equal(FailureKind.Output, result.Stopped!.Kind);
        Assert.InRange(result.Pending, 1, Rows);
        Assert.Equal(Rows, result.Pending + result.Failed + result.Answered);
    }

    private void AssertWhole()
    {
        byte[] bytes = File.ReadAllBytes(Output);
        string[] ids =
        [
            .. Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("custom_id").GetString()!),
        ];
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => $"row {i}"), ids);
        Assert.Equal((byte)'\n', bytes[^1]);
    }

    private async Task<JobResult> RunAsync(string? how, bool withCache, string name = "out.jsonl", Action? second = null, bool fails = false)
    {
        Directory.CreateDirectory(Home);
        File.WriteAllLines(Input, Enumerable.Range(0, Rows).Select(i =>
            $$$"""{"custom_id":"row {{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"{{{i}}}"}]}}"""));
        string log = Path.Combine(Home, name == "out.jsonl" ? name : name + ".log.jsonl");
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            int send = Interlocked.Increment(ref _sends);
            if (how is not null && send is 150 or 220)
            {
                if (how == "second")
                {
                    File.Delete(log + ".lock");
                    second!();
                }
                else
                {
                    Disturb(how, log, isSecond: send == 220);
                }
            }

            bool refuses = fails && send % 2 == 0;
            await connection.RespondAsync(refuses ? 400 : 200, refuses ? """{"error":{"message":"no"}}"""u8.ToArray() : s_answer);
        });
        var options = new JobOptions { Input = Input, Output = Path.Combine(Home, name), OnNotice = _notices.Add };
        options.Template = null;
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o =>
        {
            o.Cache = withCache ? _cache : null;
            o.Concurrency = 2;
        }));
        return await Job.RunAsync(manager, options, CancellationToken.None, Ended);
    }

    private void Disturb(string how, string log, bool isSecond)
    {
        if (isSecond && how is not "deleted twice")
        {
            return;
        }

        switch (how)
        {
            case "deleted" or "deleted twice":
                File.Delete(log);
                break;
            case "moved":
                File.Move(log, log + ".elsewhere");
                break;
            case "moved and back":
                File.Move(log, log + ".elsewhere");
                File.Move(log + ".elsewhere", log);
                break;
            case "replaced":
                File.Delete(log);
                File.WriteAllText(log, "not mine\n");
                break;
            case "replaced by nothing":
                File.Delete(log);
                File.WriteAllText(log, "");
                break;
            case "folder removed":
                Directory.Delete(Home, recursive: true);
                break;
            case "folder moved":
                Directory.Move(Home, Home + ".elsewhere");
                break;
            case "appended to":
                File.AppendAllText(log, "not mine\nnor this");
                break;
            case "cut":
                Cut(log, file => LineEnd(file, 50));
                break;
            case "cut in a record":
                Cut(log, file => LineEnd(file, 50) + 30);
                break;
            case "emptied":
                Cut(log, _ => 0);
                break;
            case "emptied and filled":
                Cut(log, _ => 0);
                File.AppendAllText(log, new string('x', 1_000_000));
                break;
            case "zeros":
                using (FileStream file = Open(log))
                {
                    file.Position = file.Length / 3;
                    file.Write(new byte[2_000]);
                }

                break;
            case "same length":
                using (FileStream file = Open(log))
                {
                    byte[] first = new byte[LineEnd(file, 1)];
                    file.Position = 0;
                    file.ReadExactly(first);
                    for (file.Position = 0; file.Position + (2 * first.Length) < file.Length;)
                    {
                        file.Write(first); // the first record over and over
                    }
                }

                break;
            case "directory":
                File.Delete(log);
                Directory.CreateDirectory(log);
                break;
            case "lock deleted":
                File.Delete(log + ".lock");
                break;
            case "lock is a folder":
                File.Delete(log + ".lock");
                Directory.CreateDirectory(log + ".lock");
                break;
        }
    }

    private static void Cut(string log, Func<FileStream, long> length)
    {
        using FileStream file = Open(log);
        file.SetLength(length(file));
    }

    private static FileStream Open(string log) => new(log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);

    private static int LineEnd(FileStream file, int lines)
    {
        file.Position = 0;
        for (var at = 1; ; at++)
        {
            if (file.ReadByte() == '\n' && --lines == 0)
            {
                return at;
            }
        }
    }
}
