using System.Text.Json;
using FastLLM.Pipeline;
using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>A job resumes, whatever happened to its input and output since the last run.</summary>
public sealed class JobTests : EngineTest, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Output => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Name, rows of the second run (id and question), options, sends of the second run, ids in the output afterwards.</summary>
    public static TheoryData<string, (string Id, string Question)[], Action<JobOptions>?, int, string[]> Resumes => new()
    {
        { "nothing has changed", [("a", "1"), ("b", "2"), ("c", "3")], null, 0, ["a", "b", "c"] },
        { "a row was changed", [("a", "1"), ("b", "other"), ("c", "3")], null, 1, ["a", "b", "c"] },
        { "a row was removed", [("a", "1"), ("c", "3")], null, 0, ["a", "c"] },
        { "a row was added", [("a", "1"), ("new", "4"), ("b", "2"), ("c", "3")], null, 1, ["a", "new", "b", "c"] },
        { "rows were reordered", [("c", "3"), ("a", "1"), ("b", "2")], null, 0, ["c", "a", "b"] },
        { "all of it at once", [("new", "4"), ("c", "3"), ("b", "other")], null, 2, ["new", "c", "b"] },
        { "a row has another's question now", [("a", "2"), ("b", "2"), ("c", "3")], null, 0, ["a", "b", "c"] },
        { "begun anew", [("a", "1"), ("b", "2"), ("c", "3")], o => o.Fresh = true, 3, ["a", "b", "c"] },
        { "each row twice", [("a", "1"), ("b", "2")], o => o.Samples = 2, 2, ["a#0", "a#1", "b#0", "b#1"] },
        { "the first row only", [("a", "other"), ("b", "other"), ("c", "3")], o => o.Limit = 1, 1, ["a", "c"] },
    };

    [Theory]
    [MemberData(nameof(Resumes), DisableDiscoveryEnumeration = true)]
    public async Task RunAsync_InputChanged_SendsOnlyRowsWithoutAnswer(
        string what, (string Id, string Question)[] rows, Action<JobOptions>? change, int sends, string[] ids)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1"), ("b", "2"), ("c", "3")]);
        await RunAsync(simulator.ApiBase);
        simulator.ResetStats();
        WriteInput(rows);

        JobResult result = await RunAsync(simulator.ApiBase, change);

        Assert.NotEmpty(what);
        Assert.Equal(sends, simulator.Stats.Sends);
        Assert.Equal(0, result.Failed);
        Assert.Equal(ids, Ids());
    }

    [Fact]
    public async Task RunAsync_RetryFailed_SendsFailedRowsAgain()
    {
        var refuses = true;
        await using var server = FaultServer.Start((request, connection) => refuses && request.Text.Contains("\"2\"", StringComparison.Ordinal)
            ? connection.RespondAsync(400, """{"error":{"message":"no","type":"invalid_request_error"}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer));
        WriteInput([("a", "1"), ("b", "2"), ("c", "3")]);
        Assert.Equal(1, (await RunAsync(server.ApiBase)).Failed);
        refuses = false;

        JobResult kept = await RunAsync(server.ApiBase);
        Assert.Equal((3L, 1L, 3), (kept.Kept, kept.Failed, server.Requests.Count));

        JobResult again = await RunAsync(server.ApiBase, o => o.RetryFailed = true);
        Assert.Equal((2L, 0L, 4), (again.Kept, again.Failed, server.Requests.Count));
        Assert.Equal(["a", "b", "c"], Ids());
    }

    [Fact]
    public async Task RunAsync_RetryFailedThatStops_CountsTheFailuresThatAreStillInTheOutput()
    {
        var refuses = false;
        await using var server = FaultServer.Start((request, connection) => refuses
            ? connection.RespondAsync(401, """{"error":{"message":"no","type":"invalid_request_error","code":"invalid_api_key"}}"""u8.ToArray())
            : request.Text.Contains("bad", StringComparison.Ordinal)
            ? connection.RespondAsync(400, """{"error":{"message":"no","type":"invalid_request_error"}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer));
        WriteInput([("a", "1"), .. Enumerable.Range(0, 5).Select(row => ($"b{row}", $"bad {row}"))]);
        Assert.Equal(5, (await RunAsync(server.ApiBase)).Failed);
        refuses = true;

        JobResult stopped = await RunAsync(server.ApiBase, o => o.RetryFailed = true);
        JobResult next = await RunAsync(server.ApiBase);

        Assert.Equal((FailureKind.Authentication, 1L, 5L, 5L), (stopped.Stopped?.Kind, stopped.Kept, stopped.Failed, stopped.Pending));
        Assert.Equal((null, 6L, 5L, 0L), (next.Stopped, next.Kept, next.Failed, next.Pending));
    }

    [Fact]
    public async Task RunAsync_OutputOfAnotherTool_IsMatchedById()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1"), ("b", "2"), ("c", "3")]);
        await File.WriteAllTextAsync(Output, """
            {"id":"vllm-1","custom_id":"b","response":{"status_code":200,"request_id":"vllm-batch-1","body":{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"two"},"finish_reason":"stop"}]}},"error":null}
            {"id":"vllm-2","custom_id":"c","response":{"status_code":400,"request_id":"vllm-batch-2","body":null},"error":"it broke"}

            """, Ended);

        JobResult result = await RunAsync(simulator.ApiBase, o => o.RetryFailed = true);

        Assert.Equal((1L, 2L), (result.Kept, result.Answered));
        Assert.Equal(["a", "b", "c"], Ids());
        Assert.Contains(_notices, notice => notice.Contains("matched by id alone", StringComparison.Ordinal));
        Assert.Contains("\"two\"", File.ReadAllLines(Output)[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_OutputCutAnywhere_SendsOnlyTornRows()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Compact = true }, Ended);
        WriteInput([("a", "1"), ("b", "2"), ("c", "3")]);
        await RunAsync(simulator.ApiBase);
        byte[] whole = await File.ReadAllBytesAsync(Output, Ended);

        for (var cut = 1; cut <= 400; cut++)
        {
            await File.WriteAllBytesAsync(Output, whole[..^cut], Ended);
            int left = whole[..^cut].Count(b => b == (byte)'\n');
            simulator.ResetStats();

            JobResult result = await RunAsync(simulator.ApiBase);

            Assert.Equal(["a", "b", "c"], Ids());
            Assert.Equal(0, result.Pending);

            // Without its last byte, the line end, the row is whole all the same.
            Assert.Equal(cut == 1 ? 0 : 3 - left, simulator.Stats.Sends);
        }
    }

    [Fact]
    public async Task RunAsync_SlowFirstRow_HoldsUpNoOther()
    {
        var head = new TaskCompletionSource();
        var others = new CountdownEvent(19);
        await using var server = FaultServer.Start(async (request, connection) =>
        {
            if (request.Text.Contains("\"head\"", StringComparison.Ordinal))
            {
                await head.Task;
            }
            else
            {
                others.Signal();
            }

            await connection.RespondAsync(200, Answer);
        });
        WriteInput([("head", "head"), .. Enumerable.Range(1, 19).Select(i => ($"r{i}", $"{i}"))]);

        Task<JobResult> run = RunAsync(server.ApiBase, o => o.Order = ResultOrder.Completion, o => o.Concurrency = 2);
        await Task.Run(() => others.Wait(Ended), Ended);
        head.SetResult();
        await run;

        Assert.Equal(20, server.Requests.Count);
        Assert.Contains("head", Ids()[^2..]); // the last of the others may be written after it
    }

    [Fact]
    public async Task RunAsync_Limit_CountsEqualRowsWithinIt()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1"), ("b", "1"), ("c", "2"), ("d", "1"), ("e", "2"), ("f", "2")]);

        JobResult result = await RunAsync(simulator.ApiBase, o => o.Limit = 3);

        Assert.Equal((3L, 1L, 1L), (result.Rows, result.Equal, result.Stats.Shared));
        Assert.Contains(_notices, notice => notice.StartsWith("1 of 3 rows share", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RunAsync_EqualRows_ShareAnAnswerUnlessNoDedup()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1"), ("b", "1"), ("c", "1")]);

        JobResult shared = await RunAsync(simulator.ApiBase);
        Assert.Equal((1L, 2L), (simulator.Stats.Sends, shared.Equal));
        Assert.Contains(_notices, notice => notice.Contains("--no-dedup", StringComparison.Ordinal));

        await RunAsync(simulator.ApiBase, o => { o.NoDedup = true; o.Fresh = true; });
        Assert.Equal(1 + 3, simulator.Stats.Sends);
        Assert.Equal(3, Lines().Select(line => JsonDocument.Parse(line).RootElement.GetProperty("fastllm").GetProperty("key").GetString()).Distinct().Count());
    }

    [Fact]
    public async Task RunAsync_Cookbook_WritesMetadataButDoesNotSendIt()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer));
        await File.WriteAllTextAsync(Input, """{"metadata":{"row":7},"model":"m", "messages":[]}""" + "\n", Ended);

        await RunAsync(server.ApiBase, o => o.InputFormat = InputFormat.Cookbook);

        Assert.Equal("""{"model":"m","messages":[]}""", System.Text.Encoding.UTF8.GetString(server.Requests[0].Body.Span));
        Assert.Equal(7, JsonDocument.Parse(Lines()[0]).RootElement.GetProperty("fastllm").GetProperty("metadata").GetProperty("row").GetInt32());
        Assert.Equal(["1"], Ids());
    }

    [Fact]
    public async Task RunAsync_Model_IsForRowsWithoutOne()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer));
        await File.WriteAllTextAsync(Input, "{\"messages\":[]}\n{ \"model\" : \"own\", \"messages\":[] }\n", Ended);

        await RunAsync(server.ApiBase, o => o.Model = "given", o => o.Concurrency = 1);

        Assert.Equal(["{\"model\":\"given\",\"messages\":[]}", "{ \"model\" : \"own\", \"messages\":[] }"],
            server.Requests.Select(request => System.Text.Encoding.UTF8.GetString(request.Body.Span)));
    }

    [Fact]
    public async Task RunAsync_InvalidInput_NamesEachLineAndSendsNothing()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1"), ("b", "2"), ("a", "3")]);
        await File.AppendAllTextAsync(Input, "{broken\n", Ended);

        var refused = await Assert.ThrowsAsync<BatchFormatException>(() => RunAsync(simulator.ApiBase));

        Assert.Equal(2, refused.ErrorCount);
        Assert.Contains("line 1", refused.Errors.Single(error => error.Line == 3).Error, StringComparison.Ordinal);
        Assert.Contains(refused.Errors, error => error.Line == 4);
        Assert.False(File.Exists(Output));
        Assert.Equal(0, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RunAsync_Drained_LeavesRowsInBackOffPending()
    {
        var sick = true;
        using var interrupt = new CancellationTokenSource();
        await using var server = FaultServer.Start((request, connection) => sick
            ? connection.RespondAsync(503, """{"error":{"message":"later"}}"""u8.ToArray(), ("Retry-After", "60"))
            : connection.RespondAsync(200, Answer));
        WriteInput([("a", "1"), ("b", "2"), ("c", "3")]);

        Task<JobResult> run = RunAsync(server.ApiBase, interrupt: interrupt);
        await server.WaitForRequestsAsync(1, Ended);
        await interrupt.CancelAsync();
        JobResult interrupted = await run;

        Assert.True(interrupted.Interrupted);
        Assert.Equal((3L, 0L), (interrupted.Pending, interrupted.Failed));
        sick = false;
        Assert.Equal(3, (await RunAsync(server.ApiBase)).Answered);
        Assert.Equal(["a", "b", "c"], Ids());
    }

    [Fact]
    public async Task RunAsync_DrainedWhileTheInputIsRead_EndsAtOnce()
    {
        using var interrupt = new CancellationTokenSource();
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1"), ("b", "2")]);
        await interrupt.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(simulator.ApiBase, interrupt: interrupt));

        Assert.False(File.Exists(Output));
        Assert.Equal(0, simulator.Stats.Sends);
    }

    [Fact]
    public async Task RunAsync_InvalidAndRepeatedRows_GetUniqueIds()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a (line 3)", "1"), ("a", "2"), ("a", "3"), ("1", "4")]);
        await File.AppendAllTextAsync(Input, "{broken\n", Ended);

        JobResult result = await RunAsync(simulator.ApiBase, o => o.SkipInvalid = true);
        JobResult again = await RunAsync(simulator.ApiBase, o => o.SkipInvalid = true);

        Assert.Equal((3L, 2L, 0L), (result.Answered, result.Failed, result.Pending));
        Assert.Equal(["a (line 3)", "a", "a (line 3)'", "1", "(line 5)"], Ids());
        Assert.Equal((5L, 0L), (again.Kept, again.Answered));
    }

    [Fact]
    public async Task RunAsync_OtherFileAsOutput_IsRefusedAndFreshKeepsIt()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput([("a", "1")]);
        await File.WriteAllTextAsync(Output, "my notes\n", Ended);

        await Assert.ThrowsAsync<IOException>(() => RunAsync(simulator.ApiBase));
        Assert.Equal("my notes\n", await File.ReadAllTextAsync(Output, Ended));

        await RunAsync(simulator.ApiBase, o => o.Fresh = true);
        await RunAsync(simulator.ApiBase, o => o.Fresh = true);
        Assert.Equal("my notes\n", await File.ReadAllTextAsync(Output + ".bak", Ended));
        Assert.True(File.Exists(Output + ".bak2"));
    }

    [Fact]
    public async Task RunAsync_InputChangesDuringTheRun_Stops()
    {
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            WriteInput([("z", "1"), ("y", "2"), ("x", "3"), ("w", "4")]);
            await connection.RespondAsync(200, Answer);
        });
        WriteInput([("a", "1"), ("b", "2"), ("c", new string('c', 100_000)), ("d", "4")]);

        JobResult result = await RunAsync(server.ApiBase, sending: o => o.Concurrency = 1);

        Assert.Contains("has changed", result.Stopped?.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Ids(), id => id is "x" or "y" or "z");
    }

    [Fact]
    public async Task RunAsync_ServerEchoesTheKey_IsMasked()
    {
        await using var server = FaultServer.Start((request, connection) =>
            connection.RespondAsync(400, System.Text.Encoding.UTF8.GetBytes($$$"""{"error":{"message":"bad {{{request.Header("Authorization")}}}"}}""")));
        WriteInput([("a", "1")]);
        await using var manager = new RequestManager(new OpenAIProvider("sk-canary-0123456789", server.ApiBase), Quick());

        JobResult result = await Job.RunAsync(manager, new JobOptions { Input = Input, Output = Output }, CancellationToken.None, Ended);

        Assert.Contains("***", result.Failures[FailureKind.InvalidRequest].Example, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", await File.ReadAllTextAsync(Output, Ended), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_InputIsOutput_Throws()
    {
        await using var manager = new RequestManager(new OpenAIProvider(""), Quick());

        await Assert.ThrowsAsync<ArgumentException>(() => Job.RunAsync(manager, new JobOptions { Input = Input, Output = Path.Combine(_folder, ".", "in.jsonl") }, CancellationToken.None, Ended));
        await Assert.ThrowsAsync<ArgumentException>(() => Job.RunAsync(manager, new JobOptions { Input = Output + ".tmp", Output = Output }, CancellationToken.None, Ended));
        WriteInput([("a", "1")]);
        File.CreateSymbolicLink(Path.Combine(_folder, "link"), Input);
        await Assert.ThrowsAsync<ArgumentException>(() => Job.RunAsync(manager, new JobOptions { Input = Path.Combine(_folder, "link"), Output = Input }, CancellationToken.None, Ended));
    }

    private static readonly byte[] Answer = """{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}"""u8.ToArray();

    private async Task<JobResult> RunAsync(string apiBase, Action<JobOptions>? change = null, Action<RequestManagerOptions>? sending = null, CancellationTokenSource? interrupt = null)
    {
        var options = new JobOptions { Input = Input, Output = Output, OnNotice = _notices.Add };
        change?.Invoke(options);
        await using var manager = new RequestManager(new OpenAIProvider("", apiBase), Quick(o =>
        {
            o.Cache = new InMemoryCache();
            sending?.Invoke(o);
        }));
        return await Job.RunAsync(manager, options, interrupt?.Token ?? CancellationToken.None, Ended);
    }

    private void WriteInput(IEnumerable<(string Id, string Question)> rows) => File.WriteAllLines(Input, rows.Select(row =>
        $$$"""{"custom_id":"{{{row.Id}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"{{{row.Question}}}"}]}}"""));

    private string[] Lines() => File.ReadAllText(Output).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private string[] Ids() => [.. Lines().Select(line => JsonDocument.Parse(line).RootElement.GetProperty("custom_id").GetString()!)];
}
