using System.IO.Compression;
using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>A job over a table: the log keeps paid answers, whatever happens to the table.</summary>
public sealed class TableJobTests : EngineTest, IDisposable
{
    private const string Table = "id,text\na,one\nb,\"=two\"\nc,three\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task RunAsync_Table_HasTheAnswersAndResumes()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);

        JobResult result = await RunAsync(simulator.ApiBase, "in.csv", "out.csv");

        Assert.Equal((3L, 0L, 3), (result.Answered, result.Failed, simulator.Stats.Sends));
        Assert.Equal(PathOf("out.csv"), result.OutputFile);
        string[] lines = Read("out.csv").TrimEnd().Split('\n');
        Assert.Equal("id,text,answer,finish_reason,error,prompt_tokens,completion_tokens,cost", lines[0]);
        Assert.StartsWith("a,one,", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("b,=two,", lines[2], StringComparison.Ordinal);
        Assert.EndsWith(": Say one,stop,,2,6,", lines[1], StringComparison.Ordinal);
        Assert.Equal(["in.csv", "out.csv", "out.csv.log.jsonl"], Names());
        string table = Read("out.csv");

        File.Delete(PathOf("out.csv"));
        JobResult again = await RunAsync(simulator.ApiBase, "in.csv", "out.csv");

        Assert.Equal((3L, 0L, 3), (again.Kept, again.Answered, simulator.Stats.Sends));
        Assert.Equal(table, Read("out.csv"));
    }

    [Fact]
    public async Task RunAsync_InputWithoutRows_LeavesTheOutput()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);
        await RunAsync(simulator.ApiBase, "in.csv", "out.csv");
        (string table, string log) = (Read("out.csv"), Read("out.csv.log.jsonl"));

        Write("in.csv", "id,text\n");
        JobResult result = await RunAsync(simulator.ApiBase, "in.csv", "out.csv");

        Assert.Equal(0, result.Rows);
        Assert.Equal((table, log), (Read("out.csv"), Read("out.csv.log.jsonl")));
        Assert.Equal(["in.csv", "out.csv", "out.csv.log.jsonl"], Names());
        Assert.Contains(_notices, notice => notice.Contains("has no rows", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("id,text\n", "out.csv")]
    [InlineData("id,text\nonly one cell\n", "out.tsv")]
    public async Task RunAsync_TableWithoutValidRows_KeepsItsColumns(string table, string output)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", table);

        await RunAsync(simulator.ApiBase, "in.csv", output, o => o.SkipInvalid = true);

        Assert.Equal(["id", "text", "answer"], Read(output).Split('\n')[0].Split(',', '\t')[..3]);
    }

    [Fact]
    public async Task PlanAsync_OutputOfAnotherSample_IsRefusedAsByTheRun()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);
        await RunAsync(simulator.ApiBase, "in.csv", "out.csv");
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), Quick());
        JobOptions options = Options("in.csv", PathOf("out.csv"));
        options.RandomRows = 2;

        IOException planned = await Assert.ThrowsAsync<IOException>(() => Job.PlanAsync(manager, options, Ended));
        IOException run = await Assert.ThrowsAsync<IOException>(() => Job.RunAsync(manager, options, CancellationToken.None, Ended));

        Assert.Contains("rows that are not in the sample", planned.Message, StringComparison.Ordinal);
        Assert.Equal(planned.Message, run.Message);
    }

    [Theory]
    [InlineData("out.tsv", OutputFormat.Auto, "id\ttext\tanswer")]
    [InlineData("out.csv.gz", OutputFormat.Auto, "id,text,answer")]
    [InlineData("out.jsonl", OutputFormat.Rows, """{"id":"a","text":"one","answer":""")]
    [InlineData("out.jsonl.gz", OutputFormat.Rows, """{"id":"a","text":"one","answer":""")]
    [InlineData("out.jsonl.gz", OutputFormat.Auto, """{"id":"batch_req_""")]
    [InlineData("out.json", OutputFormat.Auto, "[\n{\"id\":\"a\",\"text\":\"one\",\"answer\":")]
    [InlineData("out.json.gz", OutputFormat.OpenAI, "[\n{\"id\":\"batch_req_")]
    public async Task RunAsync_OutputName_DecidesTheFormat(string output, OutputFormat format, string begins)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);

        await RunAsync(simulator.ApiBase, "in.csv", output, o => o.OutputFormat = format);

        await using FileStream file = File.OpenRead(PathOf(output));
        using var text = new StreamReader(output.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file);
        Assert.StartsWith(begins, await text.ReadToEndAsync(Ended), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_TableWithoutLog_IsRefusedUnlessFresh()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);
        Write("out.csv", "somebody's own,table\n");

        var fault = await Assert.ThrowsAsync<IOException>(() => RunAsync(simulator.ApiBase, "in.csv", "out.csv"));

        Assert.Contains("without the log", fault.Message, StringComparison.Ordinal);
        Assert.Equal(("somebody's own,table\n", 0), (Read("out.csv"), simulator.Stats.Sends));

        await RunAsync(simulator.ApiBase, "in.csv", "out.csv", o => o.Fresh = true);
        Assert.Equal("somebody's own,table\n", Read("out.csv.bak"));
        Assert.Equal(4, Read("out.csv").TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task RunAsync_Stopped_WritesAPartialTableThatTheNextRunCompletes()
    {
        await using var server = FaultServer.Start((request, connection) => request.Text.Contains("Say one", StringComparison.Ordinal)
            ? connection.RespondAsync(200, """{"choices":[{"message":{"content":"paid"},"finish_reason":"stop"}]}"""u8.ToArray())
            : connection.RespondAsync(400, "{}"u8.ToArray()));
        Write("in.csv", Table);
        JobResult stopped = await RunAsync(server.ApiBase, "in.csv", "out.csv", sending: o => (o.Concurrency, o.MaxErrors) = (1, 0));
        Assert.NotNull(stopped.Stopped);
        Assert.Equal((PathOf("out.csv"), true, 1L), (stopped.OutputFile, stopped.IsPartial, stopped.Pending));
        Assert.Equal(("a,one,paid,stop,,,,", "c,three,,,,,,"), (Read("out.csv").Split('\n')[1], Read("out.csv").Split('\n')[3]));
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);

        JobResult rest = await RunAsync(simulator.ApiBase, "in.csv", "out.csv");

        Assert.Equal((2L, 1L), (rest.Kept, rest.Answered));
        Assert.StartsWith("a,one,paid,stop,", Read("out.csv").Split('\n')[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_TableCannotBeWritten_StopsWithAFullLog()
    {
        await using var server = FaultServer.Start((_, connection) =>
        {
            Directory.CreateDirectory(PathOf("out.csv.tmp")); // where it would be written first
            return connection.RespondAsync(200, """{"choices":[{"message":{"content":"paid"},"finish_reason":"stop"}]}"""u8.ToArray());
        });
        Write("in.csv", Table);

        JobResult result = await RunAsync(server.ApiBase, "in.csv", "out.csv");

        Assert.Contains("holds every outcome, but", result.Stopped!.Message, StringComparison.Ordinal);
        Assert.Contains("out.csv.tmp is a directory", result.Stopped.Message, StringComparison.Ordinal);
        Directory.Delete(PathOf("out.csv.tmp"));
        Assert.Equal(3, (await RunAsync(server.ApiBase, "in.csv", "out.csv")).Kept);
        Assert.Equal((3, true), (server.Requests.Count, File.Exists(PathOf("out.csv"))));
    }

    [Theory]
    [InlineData("out.csv", ".tmp")]
    [InlineData("out.csv", ".log.jsonl.tmp")]
    [InlineData("out.csv", ".log.jsonl.spent")]
    [InlineData("out.jsonl", ".tmp")]
    [InlineData("out.jsonl", ".lock")]
    [InlineData("out.parquet", ".tmp")]
    public async Task RunAsync_DirectoryAtFileBesideOutput_IsRefusedBeforeTheFirstSend(string output, string ending)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);
        Directory.CreateDirectory(PathOf(output + ending));

        var fault = await Assert.ThrowsAsync<IOException>(() => RunAsync(simulator.ApiBase, "in.csv", output));

        Assert.Contains($"{output}{ending} is a directory", fault.Message, StringComparison.Ordinal);
        Assert.Equal(0, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RunAsync_ColumnAdded_IsExportedWithoutSends()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.csv", Table);
        await RunAsync(simulator.ApiBase, "in.csv", "out.csv", o => o.Template!.IdColumn = "id");
        Write("in.csv", "gold,id,text\n1,a,one\n2,c,three\n");

        await RunAsync(simulator.ApiBase, "in.csv", "out.csv", o => o.Template!.IdColumn = "id");

        string[] lines = Read("out.csv").TrimEnd().Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.StartsWith("gold,id,text,answer,", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("2,c,three,", lines[2], StringComparison.Ordinal);
        Assert.Equal(3, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RunAsync_InvalidRows_AreInTheTable()
    {
        var refuses = true;
        await using var server = FaultServer.Start((request, connection) => refuses && request.Text.Contains("Say =two", StringComparison.Ordinal)
            ? connection.RespondAsync(400, """{"error":{"message":"-not this","type":"invalid_request_error"}}"""u8.ToArray())
            : connection.RespondAsync(200, """{"choices":[{"message":{"content":"-1+1"},"finish_reason":"stop"}]}"""u8.ToArray()));
        Write("in.csv", Table + "d\ne,\n");

        JobResult result = await RunAsync(server.ApiBase, "in.csv", "out.csv", o => o.SkipInvalid = true);

        string[] lines = Read("out.csv").TrimEnd().Split('\n');
        Assert.Equal((2L, 3L), (result.Answered, result.Failed));
        Assert.StartsWith("a,one,'-1+1,stop,,", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("b,=two,,,", lines[2], StringComparison.Ordinal);
        Assert.Contains("(line 5): invalid_row: The row has 1 cell,", lines[4], StringComparison.Ordinal);
        Assert.StartsWith("e,,,,", lines[5], StringComparison.Ordinal);
        refuses = false;

        JobResult again = await RunAsync(server.ApiBase, "in.csv", "out.csv", o => (o.SkipInvalid, o.RetryFailed) = (true, true));
        Assert.Equal((2L, 1L, 2L), (again.Kept, again.Answered, again.Failed));
        Assert.StartsWith("b,=two,'-1+1,stop,", Read("out.csv").Split('\n')[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_Samples_AreRowsWithIds()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        Write("in.jsonl", "{\"text\":\"x\",\"n\":1.0}\n");

        await RunAsync(simulator.ApiBase, "in.jsonl", "out.csv", o => o.Samples = 2);

        string[] lines = Read("out.csv").TrimEnd().Split('\n');
        Assert.StartsWith("custom_id,text,n,answer,", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("1#0,x,1.0,", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("1#1,x,1.0,", lines[2], StringComparison.Ordinal);
        Assert.Equal(2, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RunAsync_OptionsThatDoNotFit_Throw()
    {
        Write("in.csv", Table);
        (string Output, Action<JobOptions> Change)[] wrong =
        [
            (Job.Pipe, o => o.OutputFormat = OutputFormat.Rows),
            (PathOf("out.csv"), o => o.Order = ResultOrder.Completion),
            (PathOf("out.txt"), _ => { }),
            (PathOf("out.xlsx.gz"), _ => { }),
            (PathOf("out.parquet"), o => o.OutputFormat = OutputFormat.OpenAI),
            (PathOf("out.jsonl"), o => o.Log = PathOf("log.jsonl")),
            (PathOf("out.csv"), o => o.Log = PathOf("in.csv")),
            (PathOf("out.csv"), o => o.IncludeMetadata = false),
            (PathOf("in.csv"), _ => { }),
            (PathOf("out.jsonl"), o => o.InputFormat = InputFormat.OpenAI),
            (PathOf("out.jsonl"), o => o.Template = new RowTemplate()),
            (PathOf("out.jsonl"), o => (o.Template, o.InputFormat) = (null, InputFormat.Csv)),
        ];
        await using var manager = new RequestManager(new OpenAIProvider("", "http://127.0.0.1:1/v1"), Quick());

        foreach ((string output, Action<JobOptions> change) in wrong)
        {
            JobOptions options = Options("in.csv", output);
            change(options);
            await Assert.ThrowsAsync<ArgumentException>(() => Job.RunAsync(manager, options, CancellationToken.None, Ended));
        }
    }

    private async Task<JobResult> RunAsync(
        string apiBase, string input, string output, Action<JobOptions>? change = null, Action<RequestManagerOptions>? sending = null)
    {
        JobOptions options = Options(input, PathOf(output));
        change?.Invoke(options);
        await using var manager = new RequestManager(new OpenAIProvider("", apiBase), Quick(o =>
        {
            o.Cache = new InMemoryCache();
            sending?.Invoke(o);
        }));
        return await Job.RunAsync(manager, options, CancellationToken.None, Ended);
    }

    private JobOptions Options(string input, string output) => new()
    {
        Input = PathOf(input),
        Output = output,
        Model = "m",
        Template = new RowTemplate { Prompt = "Say {{text}}" },
        OnNotice = _notices.Add,
    };

    private string PathOf(string name) => Path.Combine(_folder, name);

    private void Write(string name, string text) => File.WriteAllText(PathOf(name), text);

    private string Read(string name) => File.ReadAllText(PathOf(name));

    private string[] Names() => [.. Directory.GetFiles(_folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
