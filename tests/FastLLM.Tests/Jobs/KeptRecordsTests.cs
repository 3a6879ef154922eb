using System.Text.Json;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>Records that leave an output were paid for: they are kept beside it, in files that are never overwritten.</summary>
public sealed class KeptRecordsTests : EngineTest, IDisposable
{
    private static readonly byte[] s_answer =
        """{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"length"}]}"""u8.ToArray();

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];
    private readonly List<string> _warnings = [];

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Output => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Run_AnotherInput_KeepsTheRecordsThatItDrops()
    {
        await RunAsync(["a", "b", "c"]);
        string[] first = await File.ReadAllLinesAsync(Output, Ended);
        await RunAsync(["x", "b", "y", "z"]);

        Assert.Equal(["x", "b", "y", "z"], Ids(Output));
        Assert.Equal([first[0], first[2]], await File.ReadAllLinesAsync(Output + ".bak", Ended));
        Assert.Contains(_warnings, text => text.StartsWith("2 records of ", StringComparison.Ordinal) && text.Contains("(2 answers) belong to no row", StringComparison.Ordinal));

        await RunAsync(["other"]);
        Assert.Equal([first[0], first[2]], await File.ReadAllLinesAsync(Output + ".bak", Ended));
        Assert.Equal(["x", "b", "y", "z"], Ids(Output + ".bak2"));
    }

    [Fact]
    public async Task Run_ChangedRequests_KeepsEarlierAnswersAndCountsRows()
    {
        await RunAsync(["a", "b", "c"], question: "one");
        string[] first = await File.ReadAllLinesAsync(Output, Ended);
        using var interrupt = new CancellationTokenSource();
        await RunAsync(["a", "b", "c"], question: "two", interrupt: interrupt); // stops after its first answer
        _notices.Clear();
        _warnings.Clear();

        await RunAsync(["a", "b", "c"], question: "two");

        Assert.Equal(first, await File.ReadAllLinesAsync(Output + ".bak", Ended));
        Assert.Contains(_notices, text => text.StartsWith("2 rows have another request now", StringComparison.Ordinal));
        Assert.Contains(_warnings, text => text.StartsWith("3 records of ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_FailuresOnly_AreKeptWithoutAWarning_AndRetriedOnesAreNot()
    {
        await RunAsync(["a", "bad"]);
        await RunAsync(["a", "bad"], change: o => o.RetryFailed = true);
        Assert.False(File.Exists(Output + ".bak"));

        await RunAsync(["a"]);

        Assert.Equal(["bad"], Ids(Output + ".bak"));
        Assert.Empty(_warnings);
    }

    [Fact]
    public async Task Run_CompletionOrder_KeepsAllRecordsInTheOutput()
    {
        await RunAsync(["a", "b"], change: o => o.Order = ResultOrder.Completion);
        await RunAsync(["c"], change: o => o.Order = ResultOrder.Completion);

        Assert.False(File.Exists(Output + ".bak"));
        Assert.Equal(["a", "b", "c"], Ids(Output).Order());
        Assert.Empty(_warnings);
    }

    [Fact]
    public async Task Run_LinksPlantedBesideTheOutput_AreNotFollowed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows wants a privilege for links.");
        string target = Path.Combine(_folder, "target");
        await File.WriteAllTextAsync(target, "precious", Ended);
        foreach (string suffix in (string[])[".bak", ".damaged", ".tmp"])
        {
            File.CreateSymbolicLink(Output + suffix, target);
        }

        await RunAsync(["a", "b"]);
        await File.AppendAllTextAsync(Output, "{}\n", Ended);
        await RunAsync(["b"]);

        Assert.Equal("precious", await File.ReadAllTextAsync(target, Ended));
        Assert.Equal(["a"], Ids(Output + ".bak2"));
        Assert.Equal(3, (await File.ReadAllLinesAsync(Output + ".damaged2", Ended)).Length);
    }

    [Fact]
    public async Task Run_DamagedAgain_KeepsEachCopy_AndNoneTwice()
    {
        await RunAsync(["a", "b"]);
        await File.AppendAllTextAsync(Output, "first\n", Ended);
        using var interrupt = new CancellationTokenSource();
        await RunAsync(["a", "b", "c", "d"], interrupt: interrupt);
        Assert.Contains("first\n", await File.ReadAllTextAsync(Output + ".damaged", Ended), StringComparison.Ordinal);

        await RunAsync(["a", "b", "c", "d"]); // the same damage: no second copy
        Assert.False(File.Exists(Output + ".damaged2"));

        await File.AppendAllTextAsync(Output, "second\n", Ended);
        await RunAsync(["a", "b", "c", "d"]);
        Assert.Contains("first\n", await File.ReadAllTextAsync(Output + ".damaged", Ended), StringComparison.Ordinal);
        Assert.Contains("second\n", await File.ReadAllTextAsync(Output + ".damaged2", Ended), StringComparison.Ordinal);
        Assert.Equal(["a", "b", "c", "d"], Ids(Output));
    }

    [Theory]
    [InlineData(".torn")]
    [InlineData(".lock")]
    [InlineData(".spent")]
    [InlineData("")]
    public async Task Run_ALinkOrAPipeThatIsWrittenTo_IsRefused(string suffix)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no named pipes in folders.");
        string target = Path.Combine(_folder, "target");
        await File.WriteAllTextAsync(target, "{}", Ended);
        await RunAsync(["a"]);
        if (suffix == "")
        {
            File.Delete(Output);
        }
        else
        {
            await File.AppendAllTextAsync(Output, "{torn", Ended);
        }

        File.CreateSymbolicLink(Output + suffix, target);
        await Assert.ThrowsAnyAsync<IOException>(() => RunAsync(["a", "b"]));
        Assert.Equal("{}", await File.ReadAllTextAsync(target, Ended));

        File.Delete(Output + suffix);
        MakePipe(Output + suffix);
        await Assert.ThrowsAnyAsync<IOException>(() => RunAsync(["a", "b"]));
        if (suffix == "")
        {
            await using var manager = new RequestManager(new OpenAIProvider("", "http://127.0.0.1:9/v1"), Quick());
            await Assert.ThrowsAnyAsync<IOException>(() => Job.PlanAsync(manager, new JobOptions { Input = Input, Output = Output }, Ended));
            await Assert.ThrowsAnyAsync<IOException>(() => Job.PlanAsync(manager, new JobOptions { Input = Output, Output = Output + "2.jsonl" }, Ended));
            string link = Output + ".link";
            File.CreateSymbolicLink(link, Output);
            await Assert.ThrowsAnyAsync<IOException>(() => Job.PlanAsync(manager, new JobOptions { Input = link, Output = Output + "2.jsonl" }, Ended));
            await Assert.ThrowsAnyAsync<IOException>(() => OutputReport.WriteAsync(Output, Output + ".html", Ended));
            await Assert.ThrowsAnyAsync<IOException>(() => OutputReport.WriteAsync(Input, Output, Ended));
        }
    }

    [Fact]
    public async Task Run_RowNamesAPipe_IsAnInvalidRow()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no named pipes in folders.");
        MakePipe(Path.Combine(_folder, "pipe.png"));
        await File.WriteAllTextAsync(Input, """{"image":"pipe.png"}""" + "\n", Ended);
        await using var manager = new RequestManager(new OpenAIProvider("", "http://127.0.0.1:9/v1"), Quick());
        var template = new RowTemplate { Messages = """[{"role":"user","content":[{"type":"image_url","image_url":{"url":"{{file:image}}"}}]}]""" };

        var refused = await Assert.ThrowsAsync<BatchFormatException>(
            () => Job.RunAsync(manager, new JobOptions { Input = Input, Output = Output, Model = "m", Template = template }, CancellationToken.None, Ended));

        Assert.Contains("not a regular file", refused.Errors[0].Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Limit_CountsEqualRowsWithinItOnly()
    {
        JobResult result = await RunAsync([.. Enumerable.Range(0, 100).Select(i => $"row {i}")], question: "same", change: o => o.Limit = 3);

        Assert.Equal(2, result.Equal);
        Assert.Contains(_notices, text => text.StartsWith("2 of 3 rows share", StringComparison.Ordinal));
    }

    private static void MakePipe(string path) => System.Diagnostics.Process.Start("mkfifo", path).WaitForExit();

    private static string[] Ids(string path) =>
        [.. File.ReadAllLines(path).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("custom_id").GetString()!)];

    private async Task<JobResult> RunAsync(string[] ids, string? question = null, Action<JobOptions>? change = null, CancellationTokenSource? interrupt = null)
    {
        File.WriteAllLines(Input, ids.Select(id =>
            $$$"""{"custom_id":"{{{id}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"{{{(question == "same" ? question : id + question)}}}"}]}}"""));
        await using var server = FaultServer.Start(async (request, connection) =>
        {
            if (interrupt is not null)
            {
                await interrupt.CancelAsync();
            }

            bool isBad = request.Text.Contains("\"bad", StringComparison.Ordinal);
            await connection.RespondAsync(isBad ? 400 : 200, isBad ? """{"error":{"message":"no"}}"""u8.ToArray() : s_answer);
        });
        var options = new JobOptions { Input = Input, Output = Output, OnNotice = _notices.Add, OnWarning = _warnings.Add };
        change?.Invoke(options);
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o => o.Concurrency = 1));
        return await Job.RunAsync(manager, options, interrupt?.Token ?? CancellationToken.None, Ended);
    }
}
