using System.Globalization;
using System.Text;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs.Planning;

/// <summary>A plan tells what its run does, and runs once.</summary>
public sealed class JobPlanTests : EngineTest, IDisposable
{
    private const string ChatBody = """{"model":"m","messages":[{"role":"user","content":"?"}],"n":2}""";
    private const string InputBody = """{"model":"m","input":"?"}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Output => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("/v1/embeddings", InputBody, """{"object":"list","data":[{"embedding":[1]}],"usage":{"prompt_tokens":1}}""", "*", 1)]
    [InlineData("/v1/embeddings", InputBody, """{"object":"list","data":[{"embedding":[1]}],"usage":{"prompt_tokens":1}}""", "length", 0)]
    [InlineData("/v1/responses", InputBody, """{"object":"response","status":"completed","output":[]}""", "*", 1)]
    [InlineData("/v1/chat/completions", ChatBody, """{"choices":[{"message":{},"finish_reason":"stop"},{"message":{},"finish_reason":"length"}]}""", "length", 1)]
    [InlineData("/v1/chat/completions", ChatBody, """{"choices":[{"message":{},"finish_reason":"stop"},{"message":{},"finish_reason":"stop"}]}""", "length", 0)]
    public async Task PlanAsync_Refresh_AgreesWithTheRun(string url, string body, string answer, string refresh, int sends)
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Encoding.UTF8.GetBytes(answer)));
        var cache = new InMemoryCache();
        File.WriteAllText(Input, $$"""{"custom_id":"a","method":"POST","url":"{{url}}","body":{{body}}}""" + "\n");
        await using (RequestManager first = Manager(server.ApiBase, o => o.Cache = cache))
        {
            await Job.RunAsync(first, Options(), CancellationToken.None, Ended);
        }

        foreach (bool hasOutput in (bool[])[true, false])
        {
            if (!hasOutput)
            {
                File.Delete(Output);
            }

            int before = server.Requests.Count;
            await using RequestManager manager = Manager(server.ApiBase, o => (o.Cache, o.RefreshFinishReasons) = (cache, [refresh]));
            JobPlan plan = await Job.PlanAsync(manager, Options(), Ended);
            JobResult result = await Job.RunAsync(plan, CancellationToken.None, Ended);

            Assert.Equal((1L, sends, sends), (plan.Rows, plan.ToSend, server.Requests.Count - before));
            Assert.Equal((hasOutput && sends == 0 ? 1 : 0, plan.Kept), (plan.Kept, result.Kept));
        }
    }

    [Fact]
    public async Task RunAsync_PlanWithOtherManagers_ReadsAndChecksTheInputOnce()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(1)));
        File.WriteAllText(Input, string.Concat(Enumerable.Range(0, 6).Select(i => $$"""{"messages":[{"role":"user","content":"{{i % 5}}"}]}""" + "\n")));
        var checks = 0;
        JobOptions options = Options();
        options.OnModelMissing = _ => checks++;
        await using RequestManager planner = Manager(server.ApiBase);
        JobPlan plan = await Job.PlanAsync(planner, options, Ended);
        options.MaxSends = 2;
        await using RequestManager first = Manager(server.ApiBase);
        JobResult some = await Job.RunAsync(plan, first, options, CancellationToken.None, Ended);
        options.MaxSends = null;
        await using RequestManager second = Manager(server.ApiBase);
        JobResult all = await Job.RunAsync(plan, second, options, CancellationToken.None, Ended);

        Assert.Equal((1, 2L, 4L), (checks, some.Answered, some.Pending));
        Assert.Equal((4L, 2L, 0L, 5), (all.Answered, all.Kept, all.Pending, server.Requests.Count)); // the equal row shares the answer of the preview
    }

    [Fact]
    public async Task RunAsync_PlanThatHasRun_Throws()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(1)));
        WriteInput(Input, 3);
        await using RequestManager manager = Manager(server.ApiBase);
        JobPlan plan = await Job.PlanAsync(manager, Options(), Ended);
        await Job.RunAsync(plan, CancellationToken.None, Ended);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => Job.RunAsync(plan, CancellationToken.None, Ended));

        Assert.Contains("Plan the job again", refused.Message, StringComparison.Ordinal);
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task PlanAsync_AfterADrain_PlansTheRest()
    {
        using var drain = new CancellationTokenSource();
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            await drain.CancelAsync();
            await connection.RespondAsync(200, Answer(1));
        });
        WriteInput(Input, 5);
        await using RequestManager manager = Manager(server.ApiBase, o => o.Concurrency = 1);

        JobResult drained = await Job.RunAsync(await Job.PlanAsync(manager, Options(), Ended), drain.Token, Ended);
        JobPlan plan = await Job.PlanAsync(manager, Options(), Ended);
        JobResult rest = await Job.RunAsync(plan, CancellationToken.None, Ended);

        Assert.Equal((true, 1L, 4L), (drained.Interrupted, drained.Answered, drained.Pending));
        Assert.Equal((1L, 4L, 4L, 0L), (plan.Kept, plan.ToSend, rest.Answered, rest.Pending));
        Assert.Equal(5, File.ReadAllLines(Output).Length);
    }

    [Fact]
    public async Task RunAsync_OutputChangedSincePlan_Throws()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(1)));
        WriteInput(Input, 3);
        await using RequestManager manager = Manager(server.ApiBase);
        JobPlan stale = await Job.PlanAsync(manager, Options(), Ended);
        await Job.RunAsync(manager, Options(), CancellationToken.None, Ended);

        var refused = await Assert.ThrowsAsync<IOException>(() => Job.RunAsync(stale, CancellationToken.None, Ended));

        Assert.Contains("has changed since the job was planned", refused.Message, StringComparison.Ordinal);
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task PlanAsync_InvalidRows_AreCountedAsByTheRun()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(1)));
        WriteInput(Input, 2);
        await File.AppendAllTextAsync(Input, Row("row-0", 7) + "\n{broken\n", Ended);
        JobOptions options = Options();
        options.SkipInvalid = true;
        await using RequestManager manager = Manager(server.ApiBase);

        JobPlan plan = await Job.PlanAsync(manager, options, Ended);
        JobResult result = await Job.RunAsync(plan, CancellationToken.None, Ended);
        JobPlan again = await Job.PlanAsync(manager, options, Ended);

        Assert.Equal((4L, 2L, 2L, 2L, 0L), (plan.Rows, plan.Distinct, plan.ToSend, plan.Invalid, plan.Kept));
        Assert.Equal((2L, 2L), (result.Answered, result.Failed));
        Assert.Equal((4L, 0L, 0L), (again.Kept, again.ToSend, again.Invalid));
    }

    [Fact]
    public async Task RunAsync_TwoJobsOnOneManager_ReportTheirOwnCosts()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(10)));
        await using RequestManager manager = Manager(server.ApiBase);

        JobResult first = await RunAsync(manager, "a", 3);
        JobResult second = await RunAsync(manager, "b", 5);

        AssertOwn(first, 3);
        AssertOwn(second, 5);
    }

    [Fact]
    public async Task RunAsync_TwoJobsAtOnce_ReportTheirOwnCosts()
    {
        var both = new CountdownEvent(2);
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = FaultServer.Start(async (request, connection) =>
        {
            // The first request of each job waits for the other job's.
            if (request.Text.Contains("question 0 ", StringComparison.Ordinal) && both.Signal())
            {
                sent.SetResult();
            }

            await sent.Task;
            await connection.RespondAsync(200, Answer(10));
        });
        await using RequestManager manager = Manager(server.ApiBase, o => o.Budget = 1);

        JobResult[] results = await Task.WhenAll(RunAsync(manager, "a", 3), RunAsync(manager, "b", 5));

        AssertOwn(results[0], 3);
        AssertOwn(results[1], 5);
    }

    private void AssertOwn(JobResult result, int rows)
    {
        decimal cost = rows * 11 * 0.000001m;
        Assert.Equal((rows, rows, rows * 10L), (result.Stats.Sent, result.Stats.RequestsCompleted, result.Stats.CompletionTokens));
        Assert.Equal((cost, cost, cost), (result.Stats.Cost, result.Cost, result.JobCost));
        Assert.Empty(Directory.GetFiles(_folder, "*.spent"));
    }

    private Task<JobResult> RunAsync(RequestManager manager, string name, int rows)
    {
        string input = Path.Combine(_folder, name + ".jsonl");
        WriteInput(input, rows, name);
        return Job.RunAsync(manager, new JobOptions { Input = input, Output = Path.ChangeExtension(input, ".out.jsonl") }, CancellationToken.None, Ended);
    }

    private JobOptions Options() => new() { Input = Input, Output = Output };

    private static RequestManager Manager(string apiBase, Action<RequestManagerOptions>? change = null) => new(new OpenAIProvider("", apiBase), Quick(o =>
    {
        o.Prices = PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = 0.000001m, Output = 0.000001m } });
        change?.Invoke(o);
    }));

    private static byte[] Answer(int completion) => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $$$"""{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":{{{completion}}},"total_tokens":{{{completion + 1}}}}}"""));

    private static string Row(string id, int number, string name = "") =>
        $$$"""{"custom_id":"{{{id}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{number}}} {{{name}}}"}],"max_tokens":100}}""";

    private static void WriteInput(string path, int rows, string name = "") => File.WriteAllLines(path, Enumerable.Range(0, rows).Select(i => Row($"row-{i}", i, name)));
}
