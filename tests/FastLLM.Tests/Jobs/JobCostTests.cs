using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.Pipeline;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>A job knows its cost over all runs that built its output, and its budget covers all of them.</summary>
public sealed class JobCostTests : PaidJobTest
{
    private string Spent => Output + ".spent";

    [Fact]
    public async Task RunAsync_RowCosts_AddUpToTheRun()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(3, 4)));
        WriteInput(10);

        JobResult result = await RunAsync(server.ApiBase, 1);

        Assert.Equal((70 * Price, 70 * Price, 1m), (result.Cost, result.JobCost, result.Budget));
        Assert.Equal(70 * Price, RowCosts().Sum());
        Assert.Contains("\"cost\":0.000007}", File.ReadAllText(Output), StringComparison.Ordinal);
        Assert.False(File.Exists(Spent));
    }

    [Fact]
    public async Task RunAsync_SharedRow_StatesCostZero()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(3, 4)));
        File.WriteAllLines(Input, [Row("a", 1), Row("b", 1)]);

        await RunAsync(server.ApiBase, 1);

        Assert.Equal([0, 7 * Price], RowCosts().Order());
    }

    [Fact]
    public async Task RunAsync_Budget_CoversAllRuns()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(50, 10)));
        WriteInput(40);
        decimal budget = 0.0012m;
        var rounds = 0;
        JobResult result;
        while (true)
        {
            result = await RunAsync(server.ApiBase, budget);
            Assert.InRange(result.JobCost, 0.0001m, budget);
            Assert.Equal(result.JobCost, RowCosts().Sum());
            Assert.Equal(result.JobCost, server.Requests.Count * 60 * Price);
            if (result.Stopped is null)
            {
                break;
            }

            Assert.Equal((FailureKind.BudgetExhausted, true), (result.Stopped.Kind, result.Pending > 0));
            budget += 0.0006m;
            Assert.InRange(++rounds, 1, 20);
        }

        Assert.True(rounds > 0);
        Assert.Equal(40, server.Requests.Count);
        Assert.Equal(2_400 * Price, result.JobCost);
    }

    [Fact(Timeout = 60_000)]
    public async Task WritePartialAsync_CostsWithoutARecord_CountThem()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(3, 4)));
        WriteInput(2);
        await RunAsync(server.ApiBase, budget: null);
        JobResult refreshed = await RunAsync(server.ApiBase, budget: null, sending: o => o.RefreshFinishReasons = [RequestManagerOptions.AnyFinishReason]);
        await using RequestManager manager = Manager(server.ApiBase, budget: null, sending: null);

        JobResult partial = await Job.WritePartialAsync(manager, Options(null), Ended);

        Assert.True(File.Exists(Spent));
        Assert.Equal((28 * Price, 28 * Price), (refreshed.JobCost, partial.JobCost));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RunAsync_BudgetIsUsedUp_CompletesRowsThatNeedNoSend(bool cached)
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(50, 10)));
        await using var cache = new InMemoryCache();
        void Use(RequestManagerOptions o) => (o.Cache, o.Concurrency) = (cached ? cache : null, 1);
        WriteInput(3);
        await RunAsync(server.ApiBase, 1, sending: Use);
        if (cached)
        {
            File.Delete(Output);
        }

        // Of the rows that the budget does not cover, each second equals one that is answered.
        File.WriteAllLines(Input, [.. Enumerable.Range(0, 3).Select(i => Row($"row-{i}", i)), .. Enumerable.Range(0, 20).Select(i => Row($"new-{i}", i % 2 == 0 ? 100 + i : i % 3))]);
        JobResult result = await RunAsync(server.ApiBase, 200 * Price, sending: Use);

        Assert.Equal(FailureKind.BudgetExhausted, result.Stopped?.Kind);
        Assert.Equal((10L - (server.Requests.Count - 3), cached ? 0L : 3L), (result.Pending, result.Kept));
        Assert.Equal(10 + (cached ? 3 : 0) + server.Requests.Count - 3, result.Answered);
        Assert.InRange(result.JobCost, 0, 200 * Price);
        Assert.All(Lines(), line => Assert.Contains("\"content\":\"fine\"", line, StringComparison.Ordinal));

        JobResult whole = await RunAsync(server.ApiBase, 1, sending: Use);
        Assert.Equal((0L, 13), (whole.Pending, server.Requests.Count));
    }

    [Fact]
    public async Task RunAsync_CostWithoutRecord_CountsInTheNextRun()
    {
        // Each send may have been billed, and none brings an answer: the budget is used up before the row has failed for good.
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(504, default));
        WriteInput(1);

        JobResult first = await RunAsync(server.ApiBase, 0.001m, sending: o => o.RetryAttempts = 10);

        Assert.Equal(FailureKind.BudgetExhausted, first.Stopped?.Kind);
        Assert.InRange(first.JobCost, 0.0005m, 0.001m);
        Assert.Contains(first.JobCost.ToString("0.############", CultureInfo.InvariantCulture), File.ReadAllText(Spent), StringComparison.Ordinal);

        int sends = server.Requests.Count;
        JobResult again = await RunAsync(server.ApiBase, 0.001m);
        Assert.Equal((sends, 0m, first.JobCost), (server.Requests.Count, again.Cost, again.JobCost));
        Assert.Equal(FailureKind.BudgetExhausted, again.Stopped?.Kind);
    }

    [Fact]
    public async Task RunAsync_SortDropsRecord_KeepsItsCost()
    {
        var fails = true;
        await using var server = FaultServer.Start((request, connection) => fails && request.Text.Contains("question 1\"", StringComparison.Ordinal)
            ? connection.RespondAsync(504, default)
            : connection.RespondAsync(200, Answer(5, 5)));
        WriteInput(3);
        JobResult first = await RunAsync(server.ApiBase, 1, sending: o => o.RetryAttempts = 1);
        decimal charged = RowCosts()[1];
        Assert.True(charged > 0.0002m);
        Assert.Equal((20 * Price) + charged, first.JobCost);
        fails = false;

        JobResult again = await RunAsync(server.ApiBase, 1, o => o.RetryFailed = true);
        Assert.Equal((10 * Price, (30 * Price) + charged), (again.Cost, again.JobCost));
        Assert.Equal(30 * Price, RowCosts().Sum());

        JobResult once = await RunAsync(server.ApiBase, 1);
        Assert.Equal((0m, (30 * Price) + charged), (once.Cost, once.JobCost));

        await RunAsync(server.ApiBase, 1, o => o.Fresh = true);
        Assert.False(File.Exists(Spent));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\0\0\0\0")]
    public async Task RunAsync_JournalBlank_WarnsAndRuns(string blank)
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(5, 5)));
        WriteInput(2);
        await File.WriteAllTextAsync(Spent, blank, Ended);

        JobResult result = await RunAsync(server.ApiBase, 1);

        Assert.Equal(20 * Price, result.JobCost);
        Assert.Single(Notices, notice => notice.Contains("is blank", StringComparison.Ordinal));
        Assert.False(File.Exists(Spent));
    }

    [Fact]
    public void CostJournal_DiskFull_LeavesNoHalfLine()
    {
        using var journal = new CostJournal(Output) { Writer = HalfWriter };

        Assert.Throws<IOException>(() => journal.Settle(0.5m, factor: 1, worstCases: 0));

        Assert.False(File.Exists(Spent));

        static void HalfWriter(Microsoft.Win32.SafeHandles.SafeFileHandle file, ReadOnlySpan<byte> line, long offset)
        {
            RandomAccess.Write(file, line[..10], offset);
            throw new IOException("No space left on device");
        }
    }

    [Fact]
    public async Task RunAsync_EarlierRunKilled_ReportsWhatWasInFlight()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(5, 5)));
        WriteInput(2);
        await File.WriteAllTextAsync(Spent, """{"unrecorded":"0.25","in_flight":"0.5"}""", Ended);

        JobResult result = await RunAsync(server.ApiBase, 1);

        Assert.Equal(0.25m + (20 * Price), result.JobCost);
        Assert.Contains(Notices, notice => notice.Contains("$0.5 were in flight", StringComparison.Ordinal));
        Assert.Equal("""{"unrecorded":"0.25"}""", (await File.ReadAllTextAsync(Spent, Ended)).TrimEnd());
    }

    [Fact]
    public async Task RunAsync_Journal_BoundsWhatIsInFlight()
    {
        var seen = new ConcurrentQueue<(decimal Bound, int InFlight)>();
        var inFlight = 0;
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            int now = Interlocked.Increment(ref inFlight);
            using JsonDocument document = JsonDocument.Parse(await File.ReadAllTextAsync(Spent));
            seen.Enqueue((decimal.Parse(document.RootElement.GetProperty("in_flight").GetString()!, CultureInfo.InvariantCulture), now));
            await connection.RespondAsync(200, Answer(5, 5));
            Interlocked.Decrement(ref inFlight);
        });
        WriteInput(60);

        await RunAsync(server.ApiBase, 1, sending: o => o.Concurrency = 20);

        Assert.Equal(60, seen.Count);
        Assert.All(seen, moment => Assert.True(moment.Bound >= moment.InFlight * 100 * Price, $"{moment}"));
        Assert.False(File.Exists(Spent));
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task RunAsync_UnboundedRowsUnderABudget_AreNamedBeforeSends()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(5, 5)));
        File.WriteAllLines(Input, [Row("a", 1), Row("b", 2).Replace("\"m\"", "\"nobody's\"", StringComparison.Ordinal), Row("c", 3).Replace(",\"max_tokens\":100", "", StringComparison.Ordinal)]);

        var refused = await Assert.ThrowsAsync<InvalidDataException>(() => RunAsync(server.ApiBase, 1));

        Assert.Contains("2 rows", refused.Message, StringComparison.Ordinal);
        Assert.Contains("line 2: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains("line 3: ", refused.Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
        Assert.False(File.Exists(Output));
    }

    [Fact]
    public async Task RunAsync_BudgetWithoutMetadata_Throws()
    {
        var manager = new RequestManager(new OpenAIProvider("", "http://127.0.0.1:1/v1"), Quick(o => (o.Prices, o.Budget) = (Prices, 1)));

        await Assert.ThrowsAsync<ArgumentException>(() => Job.RunAsync(manager, new JobOptions { Input = Input, Output = Output, IncludeMetadata = false }, CancellationToken.None, Ended));
    }

    [Fact]
    public async Task PlanAsync_EarlierAnswers_AreCountedAndLearnedFrom()
    {
        await using var server = FaultServer.Start((request, connection) => connection.RespondAsync(200, Answer(request.Text.Length / 5, 20)));
        var cache = new InMemoryCache();
        WriteInput(300);
        JobPlan before = await PlanAsync(server.ApiBase, null, o => o.Cache = cache);
        Assert.Equal((300L, 300L, 0L, 0L, 300L, 0L), (before.Rows, before.Distinct, before.Kept, before.Cached, before.ToSend, Assert.Single(before.Models).LearntFrom));
        Assert.Equal(30_000, Assert.Single(before.Models).CompletionTokens.High);

        await RunAsync(server.ApiBase, null, o => o.Limit = 60, o => o.Cache = cache);
        File.WriteAllLines(Output, Lines().Take(40));
        JobPlan after = await PlanAsync(server.ApiBase, null, o => o.Cache = cache);

        ModelEstimate model = Assert.Single(after.Models);
        Assert.Equal((300L, 40L, 20L, 240L, 60L), (after.Rows, after.Kept, after.Cached, after.ToSend, model.LearntFrom));
        Assert.Equal(20, model.TokensPerAnswer);
        Assert.Equal("/v1/chat/completions", after.FirstEndpoint);
        Assert.Contains("question 60\"", after.FirstBody, StringComparison.Ordinal);
        Assert.Equal(60, server.Requests.Count);

        File.Delete(Output);
        JobResult real = await RunAsync(server.ApiBase, null, sending: o => o.Cache = cache);
        Assert.Equal(240, real.Stats.Sent);
        Assert.InRange((double)(model.PromptTokens.Likely + model.CompletionTokens.Likely) / real.Stats.TotalTokens, 0.8, 1.2);
        Assert.InRange(real.Cost, after.LowCost!.Value, after.HighCost!.Value);
    }

    [Fact]
    public async Task PlanAsync_UnknownPriceOrLimit_HasNoCost()
    {
        File.WriteAllLines(Input, [Row("a", 1).Replace(",\"max_tokens\":100", "", StringComparison.Ordinal)]);
        Assert.Equal((true, null), (await PlanAsync("http://127.0.0.1:1/v1", null, o => o.Cache = null) is { LikelyCost: > 0, HighCost: null }, (await PlanAsync("http://127.0.0.1:1/v1", null, o => o.Cache = null)).HighCost));

        File.WriteAllLines(Input, [Row("a", 1).Replace("\"m\"", "\"nobody's\"", StringComparison.Ordinal)]);
        JobPlan unknown = await PlanAsync("http://127.0.0.1:1/v1", null, o => o.Cache = null);
        Assert.Equal((null, null, null), (unknown.LowCost, unknown.LikelyCost, unknown.HighCost));
    }

    private static byte[] Answer(int prompt, int completion) => System.Text.Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $$$"""{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":{{{prompt}}},"completion_tokens":{{{completion}}},"total_tokens":{{{prompt + completion}}}}}"""));

    private string[] Lines() => File.ReadAllLines(Output);

    private List<decimal> RowCosts() =>
        [.. Lines().Select(line => JsonDocument.Parse(line).RootElement.GetProperty("fastllm").TryGetProperty("cost", out JsonElement cost) ? cost.GetDecimal() : throw new InvalidOperationException(line))];
}
