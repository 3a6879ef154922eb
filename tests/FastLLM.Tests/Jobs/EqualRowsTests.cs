using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Simulator;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>Equal rows share one answer within a job however far apart they are, with a cache and without.</summary>
public sealed class EqualRowsTests : EngineTest, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Output => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(true, false, true)]
    [InlineData(false, true, true)]
    [InlineData(false, false, false)]
    public async Task RunAsync_BlocksOfEqualRows_SendsEachQuestionOnce(bool cached, bool failing, bool withMetadata)
    {
        await using var server = FaultServer.Start((request, connection) => failing
            ? connection.RespondAsync(400, """{"error":{"message":"no","type":"invalid_request_error"}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer(request.Text)));
        WriteInput(Enumerable.Range(0, 600).Select(i => ($"r{i}", $"q{i % 200}")));
        await using RequestManager manager = Manager(server.ApiBase, o =>
        {
            o.Cache = cached ? new InMemoryCache() : null;
            o.Concurrency = 8;
            o.MaxErrorShare = 1;
        });
        JobOptions options = Options(o => o.IncludeMetadata = withMetadata);

        JobPlan plan = await Job.PlanAsync(manager, options, Ended);
        JobResult result = await Job.RunAsync(plan, CancellationToken.None, Ended);

        Assert.Equal((200L, 200, 400L), (plan.ToSend, server.Requests.Count, result.Equal));
        Assert.Equal(failing ? 0L : 400L, result.Stats.Shared + result.Stats.CacheHits); // of rows that were answered
        Assert.Equal(failing ? (0L, 600L) : (600L, 0L), (result.Answered, result.Failed));
        string[] lines = File.ReadAllLines(Output);
        if (!failing)
        {
            Assert.All(lines, (line, i) => Assert.Contains($"answer q{i % 200}!", line, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task RunAsync_LimitWithoutItsEqualRows_CountsThoseOfTheLimit()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Answer(request.Text)));
        WriteInput(Enumerable.Range(0, 9).Select(i => ($"r{i}", $"q{i / 2}")));
        await using RequestManager manager = Manager(server.ApiBase);

        JobResult result = await Job.RunAsync(manager, Options(o => o.Limit = 3), CancellationToken.None, Ended);

        Assert.Equal((1L, 1L, 2), (result.Equal, result.Stats.Shared, server.Requests.Count));
    }

    [Fact]
    public async Task RunAsync_EqualRowHasARecord_SendsNothing()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Answer(request.Text)));
        await using RequestManager manager = Manager(server.ApiBase);
        WriteInput([("a", "q1"), ("b", "q2"), ("c", "q1")]);
        await Job.RunAsync(manager, Options(o => o.Limit = 2), CancellationToken.None, Ended);

        JobPlan plan = await Job.PlanAsync(manager, Options(), Ended);
        JobResult result = await Job.RunAsync(plan, CancellationToken.None, Ended);

        Assert.Equal((0L, 1L, 2), (plan.ToSend, plan.Shared, server.Requests.Count));
        Assert.Equal((2L, 1L, 1L), (result.Kept, result.Answered, result.Stats.Shared));
        Assert.Contains("answer q1!", File.ReadAllLines(Output)[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_RowsHaveOtherIdsThanTheirRecords_SendsNothing()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Answer(request.Text)));
        await using RequestManager manager = Manager(server.ApiBase);
        WriteInput([("1", "q1"), ("2", "q2"), ("3", "q3")]);
        await Job.RunAsync(manager, Options(), CancellationToken.None, Ended);
        WriteInput([("1", "new"), ("2", "q1"), ("3", "q2"), ("4", "q3")]);

        JobPlan plan = await Job.PlanAsync(manager, Options(), Ended);
        JobResult result = await Job.RunAsync(plan, CancellationToken.None, Ended);

        Assert.Equal((1L, 3L, 4), (plan.ToSend, plan.Shared, server.Requests.Count));
        Assert.Equal(["new", "q1", "q2", "q3"], Answers());
        Assert.Equal(4, result.Answered);
    }

    [Fact]
    public async Task RunAsync_EqualRowFailedEarlier_SendsTheOther()
    {
        var fails = true;
        await using var server = FaultServer.Start((request, connection) => fails
            ? connection.RespondAsync(400, """{"error":{"message":"no","type":"invalid_request_error"}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer(request.Text)));
        await using RequestManager manager = Manager(server.ApiBase);
        WriteInput([("a", "q1"), ("b", "q1")]);
        Assert.Equal(1, (await Job.RunAsync(manager, Options(o => o.Limit = 1), CancellationToken.None, Ended)).Failed);
        fails = false;

        JobResult result = await Job.RunAsync(manager, Options(), CancellationToken.None, Ended);
        Assert.Equal((1L, 1L, 1L, 2), (result.Kept, result.Answered, result.Failed, server.Requests.Count));

        JobResult again = await Job.RunAsync(manager, Options(o => o.RetryFailed = true), CancellationToken.None, Ended);
        Assert.Equal((1L, 1L, 0L, 2), (again.Kept, again.Answered, again.Failed, server.Requests.Count));
        Assert.Equal(["q1", "q1"], Answers());
    }

    [Fact]
    public async Task RunAsync_AnswersToRefresh_AreRequestedOnceAgain()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Answer(request.Text)));
        WriteInput([("a", "q1"), ("b", "q2"), ("c", "q1")]);
        await using (RequestManager first = Manager(server.ApiBase))
        {
            await Job.RunAsync(first, Options(), CancellationToken.None, Ended);
        }

        await using RequestManager manager = Manager(server.ApiBase, o => o.RefreshFinishReasons = ["stop"]);
        JobPlan plan = await Job.PlanAsync(manager, Options(), Ended);
        await Job.RunAsync(plan, CancellationToken.None, Ended);

        Assert.Equal((2L, 4), (plan.ToSend, server.Requests.Count));
    }

    [Fact]
    public async Task RunAsync_RecordWasChanged_SendsTheEqualRow()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Answer(request.Text)));
        WriteInput([("a", "q1"), ("b", "q2"), ("c", "q1")]);
        await using (RequestManager first = Manager(server.ApiBase))
        {
            await Job.RunAsync(first, Options(o => o.Limit = 2), CancellationToken.None, Ended);
        }

        // The record of the first row gets the key of the second: it is no answer to the third.
        string[] lines = File.ReadAllLines(Output);
        lines[0] = lines[0].Replace(KeyOf(lines[0]), KeyOf(lines[1]), StringComparison.Ordinal);
        File.WriteAllLines(Output, lines);
        await using RequestManager manager = Manager(server.ApiBase);
        await Job.RunAsync(manager, Options(), CancellationToken.None, Ended);

        Assert.Equal(3, server.Requests.Count);
        Assert.Equal(["q1", "q2", "q1"], Answers());
    }

    [Fact]
    public async Task RunAsync_ManyEqualRows_AreOneSend()
    {
        const int Rows = 100_000;
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        WriteInput(Enumerable.Range(0, Rows).Select(i => ($"r{i}", "same")));
        await using RequestManager manager = Manager(simulator.ApiBase, o => o.Concurrency = 64);

        JobResult result = await Job.RunAsync(manager, Options(), CancellationToken.None, Ended);

        Assert.Equal((1L, Rows, Rows - 1L), (simulator.Stats.Sends, result.Answered, result.Stats.Shared));
    }

    [Fact]
    public void LatestAnswers_MoreThanTheBound_ForgetsTheOldest()
    {
        var answers = new LatestAnswers(new AnswerIndex(isPipe: true), maxBytes: 3 * (100 + 50));
        RequestKey[] keys = [.. Enumerable.Range(0, 5).Select(i => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"a\":{i}}}")))];

        foreach (RequestKey key in keys)
        {
            answers.Add(key, new byte[50]);
        }

        Assert.Equal([false, false, true, true, true], keys.Select(key => answers.Find(key) is not null));
    }

    [Fact]
    public void AnswerIndex_ManyKeys_FindsEach()
    {
        var index = new AnswerIndex(isPipe: false);
        ulong[] keys = [.. Enumerable.Range(1, 10_000).Select(i => unchecked((ulong)i * 0x9E3779B97F4A7C15))];
        foreach (ulong key in keys)
        {
            index.Expect(key);
        }

        foreach (ulong key in keys.Where((_, i) => i % 2 == 0))
        {
            index.Set(key, (long)(key >> 8));
            index.Expect(key); // keeps the answer
        }

        Assert.All(keys, (key, i) => Assert.Equal(i % 2 == 0 ? (long)(key >> 8) : RowIndex.NoRecord, index.Find(key)));
        Assert.All(keys, key => Assert.True(index.MayRepeat(key)));
        Assert.False(index.MayRepeat(1));
        Assert.Equal(RowIndex.NoRecord, index.Find(1));
    }

    private static byte[] Answer(string request)
    {
        string question = JsonDocument.Parse(request[request.IndexOf('{')..]).RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!;
        return Encoding.UTF8.GetBytes(
            $$"""{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"answer {{question}}!"},"finish_reason":"stop"}]}""");
    }

    private static string KeyOf(string line) => JsonDocument.Parse(line).RootElement.GetProperty("fastllm").GetProperty("key").GetString()!;

    private static RequestManager Manager(string apiBase, Action<RequestManagerOptions>? change = null) =>
        new(new OpenAIProvider("", apiBase), Quick(change ?? (_ => { })));

    private string[] Answers() => [.. File.ReadAllLines(Output).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("response")
        .GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()![7..^1])];

    private JobOptions Options(Action<JobOptions>? change = null)
    {
        var options = new JobOptions { Input = Input, Output = Output };
        change?.Invoke(options);
        return options;
    }

    private void WriteInput(IEnumerable<(string Id, string Question)> rows) => File.WriteAllLines(Input, rows.Select(row =>
        $$$"""{"custom_id":"{{{row.Id}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"{{{row.Question}}}"}]}}"""));
}
