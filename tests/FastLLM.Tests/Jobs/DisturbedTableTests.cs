using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>Something else deletes, cuts or replaces a table after it was written, while the job ends: no job is done without its table.</summary>
public sealed class DisturbedTableTests : EngineTest, IDisposable
{
    private const string Rows = "id,text\na,one\nb,two\nc,three\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];

    private string Input => Path.Combine(_folder, "in.csv");

    private string Output => Path.Combine(_folder, "out.csv");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("deleted", false)]
    [InlineData("deleted", true)]
    [InlineData("cut", true)]
    [InlineData("replaced", true)]
    public async Task Run_TableDisturbedBeforeTheSort_IsWrittenAgain(string how, bool needsSort)
    {
        JobResult result = await RunAsync(needsSort, () =>
        {
            switch (how)
            {
                case "deleted":
                    File.Delete(Output);
                    break;
                case "cut":
                    using (FileStream file = File.OpenWrite(Output))
                    {
                        file.SetLength(10);
                    }

                    break;
                default:
                    File.Delete(Output);
                    File.WriteAllText(Output, "not mine\n");
                    break;
            }
        });

        Assert.Null(result.Stopped);
        Assert.Equal((0L, 3L), (result.Pending, result.Answered));
        string[] lines = File.ReadAllLines(Output);
        Assert.Equal(["a,one,'-one", "b,two,'-two", "c,three,'-three"], lines[1..].Select(line => line.Split(",stop")[0]));
        string[] log = File.ReadAllLines(Output + ".log.jsonl");
        Assert.Equal(["-one", "-two", "-three"], log.Select(line => line.Split("\"content\":\"")[1].Split('"')[0]));
        Assert.Contains(_notices, notice => notice.Contains("It was written again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_TableCannotBeWrittenAgain_StopsAndTheNextRunSendsNothing()
    {
        JobResult result = await RunAsync(needsSort: true, () =>
        {
            File.Delete(Output);
            Directory.CreateDirectory(Output);
        });

        Assert.Equal(FailureKind.Output, result.Stopped!.Kind);
        Assert.Contains("run it again, and nothing is sent", result.Stopped.Message, StringComparison.Ordinal);
        Directory.Delete(Output);

        JobResult again = await RunAsync(needsSort: false, () => { });

        Assert.Null(again.Stopped);
        Assert.Equal((3L, 0L), (again.Kept, again.Answered));
        Assert.Equal(4, File.ReadAllLines(Output).Length);
    }

    [Theory]
    [InlineData("out.csv", false)]
    [InlineData("out.csv", true)]
    [InlineData("out.jsonl", false)]
    [InlineData("out.jsonl", true)]
    public async Task CheckOutput_OutputCutOrReplacedAfterTheRun_IsStopped(string output, bool needsSort)
    {
        JobResult result = await RunAsync(needsSort, () => { }, output: output);
        Assert.Null(result.CheckOutput().Stopped);
        string path = Path.Combine(_folder, output);
        byte[] whole = await File.ReadAllBytesAsync(path, Ended);

        using (FileStream file = File.OpenWrite(path))
        {
            file.SetLength(10);
        }

        Assert.Equal(FailureKind.Output, result.CheckOutput().Stopped!.Kind);

        File.Move(path, path + ".old"); // so that the new file is another one
        await File.WriteAllBytesAsync(path, whole, Ended);
        Assert.Contains($"Something else changed {path}", result.CheckOutput().Stopped!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("emptied")]
    [InlineData("moved down")]
    [InlineData("folder removed")]
    public async Task Run_LogDisturbedBeforeTheSort_IsWrittenAgainFromTheCache(string how)
    {
        JobResult result = await RunAsync(needsSort: true, () => DisturbLog(how), new InMemoryCache());

        Assert.Null(result.Stopped);
        Assert.Equal((0L, 3L), (result.Pending, result.Answered));
        string[] log = File.ReadAllLines(Output + ".log.jsonl");
        Assert.Equal(["-one", "-two", "-three"], log.Select(line => line.Split("\"content\":\"")[1].Split('"')[0]));
        Assert.Equal(4, File.ReadAllLines(Output).Length);
    }

    [Fact]
    public async Task Run_LogCutBeforeTheSortWithoutCache_LossIsCounted()
    {
        JobResult result = await RunAsync(needsSort: true, () => DisturbLog("cut"));

        Assert.Equal(FailureKind.Output, result.Stopped!.Kind);
        Assert.Contains("1 rows of", result.Stopped.Message, StringComparison.Ordinal);
        Assert.Equal((1L, 2L, 2L), (result.Pending, result.Answered, result.Stats.RequestsCompleted));
    }

    [Fact]
    public async Task Run_LogEmptiedWhileItIsWrittenWithoutCache_TableHoldsWhatIsLeft()
    {
        JobResult result = await RunAsync(needsSort: true, () => { }, whenTwoAreWritten: () => DisturbLog("emptied"));

        Assert.Equal(FailureKind.Output, result.Stopped!.Kind);
        Assert.Equal((2L, 1L, true), (result.Pending, result.Answered, result.IsPartial));
        Assert.Equal(["a,one,'-one", "b,two,", "c,three,"], File.ReadAllLines(Output)[1..].Select(static line => string.Join(',', line.Split(',')[..3])));
    }

    private void DisturbLog(string how)
    {
        string log = Output + ".log.jsonl";
        if (how == "moved down")
        {
            byte[] records = File.ReadAllBytes(log);
            using var file = new FileStream(log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            file.Write("{}\n"u8);
            file.Write(records);
        }
        else if (how == "folder removed")
        {
            Directory.Delete(Path.GetDirectoryName(Output)!, recursive: true);
            Directory.CreateDirectory(_folder);
            File.WriteAllText(Input, Rows);
        }
        else
        {
            using var file = new FileStream(log, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            file.SetLength(how == "cut" ? file.Length - 5 : 0);
        }
    }

    // The answers look like formulas: that is reported as soon as the table is written, and before the log is sorted.
    private async Task<JobResult> RunAsync(bool needsSort, Action disturb, InMemoryCache? cache = null, Action? whenTwoAreWritten = null, string output = "out.csv")
    {
        await File.WriteAllTextAsync(Input, Rows, Ended);
        var othersAnswered = new TaskCompletionSource();
        if (!needsSort)
        {
            othersAnswered.SetResult();
        }

        await using var server = FaultServer.Start(async (request, connection) =>
        {
            string word = request.Text.Contains("Say one", StringComparison.Ordinal) ? "one"
                : request.Text.Contains("Say two", StringComparison.Ordinal) ? "two" : "three";
            if (word == "one")
            {
                await othersAnswered.Task;
            }

            await connection.RespondAsync(
                200, System.Text.Encoding.UTF8.GetBytes($$"""{"choices":[{"message":{"content":"-{{word}}"},"finish_reason":"stop"}]}"""));
        });
        var isDisturbed = false;
        var written = 0;
        var options = new JobOptions
        {
            Input = Input,
            Output = Path.Combine(_folder, output),
            Model = "m",
            Template = new RowTemplate { Prompt = "Say {{text}}" },
            OnRowWritten = (_, _) =>
            {
                if (Interlocked.Increment(ref written) == 2)
                {
                    whenTwoAreWritten?.Invoke();
                    othersAnswered.TrySetResult();
                }
            },
            OnNotice = notice =>
            {
                _notices.Add(notice);
                if (!isDisturbed && notice.Contains("begin like a formula", StringComparison.Ordinal))
                {
                    isDisturbed = true;
                    disturb();
                }
            },
        };
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o =>
        {
            o.Cache = cache;
            o.Concurrency = needsSort ? 3 : 1;
        }));
        return await Job.RunAsync(manager, options, CancellationToken.None, Ended);
    }
}
