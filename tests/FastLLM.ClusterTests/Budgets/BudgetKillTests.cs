using System.Globalization;
using System.Text.Json;
using FastLLM.Cluster.Store;
using FastLLM.ClusterTests.Jobs;
using FastLLM.EndToEndTests;
using FastLLM.Simulator;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Budgets;

/// <summary>Workers share a budget, and are killed, frozen and woken at random. The simulator knows what it would bill.</summary>
public sealed class BudgetKillTests(SharedServers servers)
{
    private const decimal PerToken = 0.0001m;
    private const int MaxTokens = 16;
    private const int Workers = 4;

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    /// <summary>By hand: <c>CLUSTER_RUNS=50</c>.</summary>
    public static TheoryData<int> Seeds => [.. Enumerable.Range(
        1, int.TryParse(Environment.GetEnvironmentVariable("CLUSTER_RUNS"), CultureInfo.InvariantCulture, out int runs) ? runs : 2)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Budget_WorkersKilledAndFrozenAtRandom_IsNeverPassed(int seed)
    {
        var random = new Random(seed);
        await using var simulator = await SimulatorServer.StartAsync(
            new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(random.Next(20, 200)), LatencySigma = 0.5, Seed = seed, RecordRequests = true }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        decimal budget = random.Next(500, 3000) * MaxTokens * PerToken;
        string job = await SubmitAsync(cluster, simulator, rows: 5000, budget, concurrency: random.Next(5, 40));
        List<RunningTool> workers = [];
        for (int i = 0; i < Workers; i++)
        {
            workers.Add(await cluster.StartWorkerAsync());
        }

        Task<(ClusterJob Job, IReadOnlyList<string> Lines)> following = cluster.FollowAsync(job);
        long sends = 0;
        for (int faults = random.Next(1, 6); faults > 0 && !following.IsCompleted; faults--)
        {
            sends += random.Next(1, 400);
            await Task.WhenAny(following, simulator.UntilAsync(stats => stats.Sends >= sends, Ended));
            int victim = random.Next(workers.Count);
            workers[victim].Signal(random.Next(3) == 0 ? "STOP" : "KILL");
            workers[victim] = await cluster.StartWorkerAsync();
        }

        ClusterJob ended = (await following).Job;
        decimal billed = Bill(simulator);
        TestContext.Current.TestOutputHelper!.WriteLine(FormattableString.Invariant($"seed {seed}: ${billed} billed of ${budget}: {ended.Reason}"));
        Assert.InRange(billed, 0, budget);
        Assert.Equal(ClusterJob.Stopped, ended.State);
        Assert.StartsWith("The budget of $", ended.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Budget_NoWorkerIsLost_IsUsedToTheLastRequest_AndRaised()
    {
        await using var simulator = await SimulatorServer.StartAsync(
            new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), LatencySigma = 0.5, RecordRequests = true }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        for (int i = 0; i < 3; i++)
        {
            await cluster.StartWorkerAsync();
        }

        const decimal Budget = 1000.5m * MaxTokens * PerToken;
        string job = await SubmitAsync(cluster, simulator, rows: 1500, Budget, concurrency: 20);
        (ClusterJob stopped, _) = await cluster.FollowAsync(job);

        Assert.Equal(ClusterJob.Stopped, stopped.State);
        Assert.Contains("the next request may cost up to $0.0016", stopped.Reason, StringComparison.Ordinal);
        Assert.InRange(Bill(simulator), Budget - (MaxTokens * PerToken), Budget);
    }

    // Only output costs, so that an answer of full length costs its worst case.
    private static async Task<string> SubmitAsync(JobCluster cluster, SimulatorServer simulator, int rows, decimal budget, int concurrency)
    {
        cluster.Tool.Write("prices.json", string.Create(
            CultureInfo.InvariantCulture, $$$"""{"m":{"input_cost_per_token":0,"output_cost_per_token":{{{PerToken}}},"mode":"chat"}}"""));
        string input = cluster.Tool.Write("rows.jsonl", Enumerable.Range(0, rows).Select(i => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"custom_id":"{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","max_tokens":{{{MaxTokens}}},"messages":[{"role":"user","content":"Question {{{i}}} {{{new string('x', i % 60)}}}"}]}}""")));
        return await cluster.SubmitAsync(
            input, simulator.ApiBase, "--prices", "prices.json", "--max-cost", budget.ToString(CultureInfo.InvariantCulture),
            "--concurrency", concurrency.ToString(CultureInfo.InvariantCulture));
    }

    // Every request that arrived whole, also of a client that was killed.
    private static decimal Bill(SimulatorServer simulator) => PerToken * simulator.Requests.Sum(request =>
    {
        using JsonDocument answer = JsonDocument.Parse(SimulatorAnswers.PlainChatCompletion(request.Body.Span));
        return answer.RootElement.GetProperty("usage").GetProperty("completion_tokens").GetInt32();
    });
}
