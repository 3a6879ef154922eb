using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs.Forms;

/// <summary>At any time, an output holds what is answered, and the next run completes it to what it would have been.</summary>
public sealed class PartialOutputTests : EngineTest, IDisposable
{
    private const int Rows = 6;

    private static readonly byte[] Answer = """{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}"""u8.ToArray();

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];
    private Action<string>? _onNotice;

    public static TheoryData<string> Outputs => ["out.xlsx", "out.parquet", "out.json", "out.csv", "out.tsv"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Outputs))]
    public async Task RunAsync_Drained_WritesWhatIsAnswered_AndTheNextRunTheSameAsWithoutInterruption(string output)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        JobResult whole = await RunAsync(simulator.ApiBase, "whole" + Path.GetExtension(output), limit: null);
        using var drain = new CancellationTokenSource();

        JobResult partial = await RunAsync(simulator.ApiBase, output, limit: null, drain, stopAfter: 2);

        Assert.Equal((true, true, true), (partial.Interrupted, partial.IsPartial, partial.Pending is > 0 and < Rows));
        Assert.Equal(PathOf(output), partial.OutputFile);
        List<object?[]> table = OtherLibraries.Read(PathOf(output));
        Assert.Equal(Enumerable.Range(0, Rows).Select(i => $"row {i}"), table[1..].Select(row => row[1]));
        Assert.Equal(partial.Pending, table[1..].Count(row => OtherLibraries.Text(row[2]) == ""));
        Assert.All(table[1..].Where(row => OtherLibraries.Text(row[2]) != ""), row => Assert.EndsWith($"Say {row[1]}", (string?)row[2], StringComparison.Ordinal));

        JobResult done = await RunAsync(simulator.ApiBase, output, limit: null);

        Assert.Equal((partial.Pending, false, Rows - partial.Pending), (done.Answered, done.IsPartial, done.Kept));
        Assert.Equal(File.ReadAllBytes(whole.OutputFile!), File.ReadAllBytes(PathOf(output)));
        Assert.Equal(2 * Rows, simulator.Stats.Sends);
    }

    [Theory]
    [InlineData("out.csv")]
    [InlineData("out.jsonl.gz")]
    public async Task RunAsync_RefreshDrained_KeepsEarlierAnswersOfTheOtherRows(string output)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        byte[] whole = File.ReadAllBytes((await RunAsync(simulator.ApiBase, output, limit: null)).OutputFile!);
        using var drain = new CancellationTokenSource();

        JobResult drained = await RunAsync(simulator.ApiBase, output, limit: null, drain, stopAfter: 2, refresh: [RequestManagerOptions.AnyFinishReason]);

        Assert.Equal((true, false, true), (drained.Interrupted, drained.IsPartial, drained.Pending is > 0 and < Rows));
        Assert.Contains($"{drained.Pending:N0} rows of {PathOf(output)} that are to be sent again hold their earlier outcome.", _notices);
        if (output == "out.csv")
        {
            Assert.Equal(whole, File.ReadAllBytes(PathOf(output)));
        }
        else
        {
            using var lines = new StreamReader(new System.IO.Compression.GZipStream(File.OpenRead(PathOf(output)), System.IO.Compression.CompressionMode.Decompress));
            Assert.Equal(Rows, (await lines.ReadToEndAsync(Ended)).Count(c => c == '\n'));
        }
    }

    [Fact]
    public async Task RunAsync_TableIsMade_ReserveOfTheLogIsReleased()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The open files of a process.");
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await RunAsync(simulator.ApiBase, "out.csv", limit: null);
        using var drain = new CancellationTokenSource();
        int duringRun = 0, beforeTable = -1;
        _onNotice = notice => beforeTable = notice.Contains("hold their earlier outcome", StringComparison.Ordinal) ? Reserves() : beforeTable;

        await RunAsync(simulator.ApiBase, "out.csv", limit: null, drain, stopAfter: 2, refresh: [RequestManagerOptions.AnyFinishReason], onAnswered: _ =>
        {
            duringRun = Reserves();
            return Task.CompletedTask;
        });

        Assert.Equal((1, 0), (duringRun, beforeTable));

        int Reserves() => Directory.EnumerateFiles("/proc/self/fd").Count(file =>
            new FileInfo(file).LinkTarget is { } target && target.StartsWith(_folder.Path, StringComparison.Ordinal) && target.EndsWith(" (deleted)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RunAsync_RetryDrained_KeepsEarlierFailuresOfTheOtherRows()
    {
        int sends = 0;
        await using var server = FaultServer.Start((_, connection) => Interlocked.Increment(ref sends) <= Rows + 1
            ? connection.RespondAsync(400, """{"error":{"message":"no"}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer));
        await RunAsync(server.ApiBase, "out.csv", limit: null);
        using var drain = new CancellationTokenSource();

        JobResult drained = await RunAsync(server.ApiBase, "out.csv", limit: null, drain, stopAfter: 1, retryFailed: true);

        Assert.Equal((true, false), (drained.Interrupted, drained.IsPartial));
        List<object?[]> table = OtherLibraries.Read(PathOf("out.csv"));
        Assert.All(table[1..], row => Assert.True(OtherLibraries.Text(row[2]) == "yes" || OtherLibraries.Text(row[4]).StartsWith("invalid_request", StringComparison.Ordinal)));
        Assert.Contains(table[1..], row => OtherLibraries.Text(row[2]) == "yes");

        await WritePartialAsync("out.csv", o => o.RetryFailed = true);
        Assert.Equal(table, OtherLibraries.Read(PathOf("out.csv")));
    }

    [Theory]
    [MemberData(nameof(Outputs))]
    public async Task WritePartialAsync_AfterSomeRows_HoldsThemAndSendsNothing(string output)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await RunAsync(simulator.ApiBase, output, limit: 2);
        File.Delete(PathOf(output));

        JobResult partial = await WritePartialAsync(output);

        Assert.Equal((6L, 4L, true, 2), (partial.Rows, partial.Pending, partial.IsPartial, simulator.Stats.Sends));
        List<object?[]> table = OtherLibraries.Read(PathOf(output));
        Assert.Equal(["row 0", "row 1", "row 2", "row 3", "row 4", "row 5"], table[1..].Select(row => row[1]));
        Assert.Equal([true, true, false, false, false, false], table[1..].Select(row => OtherLibraries.Text(row[2]).StartsWith("Answer ", StringComparison.Ordinal)));

        await RunAsync(simulator.ApiBase, output, limit: null);
        byte[] done = File.ReadAllBytes(PathOf(output));
        JobResult complete = await WritePartialAsync(output);

        Assert.Equal((0L, false, Rows), (complete.Pending, complete.IsPartial, simulator.Stats.Sends));
        Assert.Equal(done, File.ReadAllBytes(PathOf(output)));
    }

    [Theory]
    [InlineData("out.jsonl", OutputFormat.Auto, 2)]
    [InlineData("out.jsonl", OutputFormat.Rows, 6)]
    [InlineData("out.jsonl.gz", OutputFormat.Auto, 2)]
    [InlineData("out.json", OutputFormat.OpenAI, 4)]
    public async Task WritePartialAsync_Lines_HoldsTheRowsWithAnOutcome(string output, OutputFormat format, int lines)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await RunAsync(simulator.ApiBase, output, limit: 2, format: format);

        JobResult partial = await WritePartialAsync(output, o => o.OutputFormat = format);

        Assert.Equal((true, 4L), (partial.IsPartial, partial.Pending));
        using var file = new StreamReader(output.EndsWith(".gz", StringComparison.Ordinal)
            ? new System.IO.Compression.GZipStream(File.OpenRead(PathOf(output)), System.IO.Compression.CompressionMode.Decompress)
            : File.OpenRead(PathOf(output)));
        Assert.Equal(lines, (await file.ReadToEndAsync(Ended)).TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task WritePartialAsync_WhileARunWrites_TakesNoLockAndDisturbsNothing()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await RunAsync(simulator.ApiBase, "out.csv", limit: 2);
        JobResult? partial = null;
        JobResult done = await RunAsync(
            simulator.ApiBase, "out.csv", limit: null, onAnswered: async n => partial = n == 1 ? await WritePartialAsync("out.csv") : partial);

        Assert.NotNull(partial);
        Assert.InRange(partial.Pending, 1, Rows - 1);
        Assert.Equal((false, 0L), (done.IsPartial, done.Pending));
        Assert.All(OtherLibraries.Read(PathOf("out.csv"))[1..], row => Assert.StartsWith("Answer ", (string?)row[2], StringComparison.Ordinal));
    }

    [Fact]
    public async Task WritePartialAsync_WithoutLog_SaysSo()
    {
        WriteInput();

        var fault = await Assert.ThrowsAsync<IOException>(() => WritePartialAsync("out.csv"));

        Assert.Contains("no run has answered a row yet", fault.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(PathOf("out.csv")));
    }

    [Fact]
    public async Task RunAsync_StoppedWithoutAnyAnswer_LeavesNoTable()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(401, "{}"u8.ToArray()));

        JobResult stopped = await RunAsync(server.ApiBase, "out.csv", limit: null);

        Assert.NotNull(stopped.Stopped);
        Assert.Equal((false, false), (stopped.IsPartial, File.Exists(PathOf("out.csv"))));
    }

    [Fact]
    public async Task SetDefaultOutput_OutputOfAnEarlierVersion_BecomesTheLog()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await RunAsync(simulator.ApiBase, "in.csv.out.jsonl", limit: 4);
        JobOptions options = Options("");

        Job.SetDefaultOutput(options);
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), Quick());
        JobResult result = await Job.RunAsync(manager, options, CancellationToken.None, Ended);

        Assert.Equal((PathOf("in.out.csv"), PathOf("in.csv.out.jsonl")), (options.Output, options.Log));
        Assert.Equal((4L, 2L, Rows), (result.Kept, result.Answered, simulator.Stats.Sends));
        Assert.Equal(Rows + 1, File.ReadAllLines(PathOf("in.out.csv")).Length);
        Assert.Equal(["in.csv", "in.csv.out.jsonl", "in.out.csv"], Directory.GetFiles(_folder.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));

        JobOptions fresh = Options("");
        fresh.Fresh = true;
        Job.SetDefaultOutput(fresh);
        Assert.Null(fresh.Log);
    }

    private async Task<JobResult> RunAsync(
        string apiBase, string output, long? limit, CancellationTokenSource? drain = null, int stopAfter = 0, OutputFormat format = OutputFormat.Auto,
        Func<int, Task>? onAnswered = null, string[]? refresh = null, bool retryFailed = false)
    {
        WriteInput();
        JobOptions options = Options(PathOf(output));
        options.Limit = limit;
        options.OutputFormat = format;
        options.RetryFailed = retryFailed;
        var answered = 0;
        await using var manager = new RequestManager(new OpenAIProvider("", apiBase), Quick(o =>
        {
            o.Concurrency = 1;
            o.RefreshFinishReasons = refresh ?? [];
            o.Cache = new ScriptedCache
            {
                BeforePut = async _ =>
                {
                    int n = ++answered;
                    if (n == stopAfter)
                    {
                        await drain!.CancelAsync();
                    }

                    await (onAnswered?.Invoke(n) ?? Task.CompletedTask);
                },
            };
        }));
        return await Job.RunAsync(manager, options, drain?.Token ?? CancellationToken.None, Ended);
    }

    private async Task<JobResult> WritePartialAsync(string output, Action<JobOptions>? change = null)
    {
        JobOptions options = Options(PathOf(output));
        change?.Invoke(options);
        await using var manager = new RequestManager(new OpenAIProvider("", "http://127.0.0.1:1/v1"), Quick());
        return await Job.WritePartialAsync(manager, options, Ended);
    }

    private JobOptions Options(string output) => new()
    {
        Input = PathOf("in.csv"),
        Output = output,
        Model = "m",
        Template = new RowTemplate { Prompt = "Say {{text}}" },
        OnNotice = notice =>
        {
            _notices.Add(notice);
            _onNotice?.Invoke(notice);
        },
    };

    private void WriteInput() => File.WriteAllText(PathOf("in.csv"), "n,text\n" + string.Concat(Enumerable.Range(0, Rows).Select(i => $"{i},row {i}\n")));

    private string PathOf(string name) => Path.Combine(_folder.Path, name);
}
