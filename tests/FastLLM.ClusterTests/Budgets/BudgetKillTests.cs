using System.Globalization;
using FastLLM.Cluster.Budgets;
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
        decimal budget = random.Next(500, 3000) * BudgetJobs.WorstCase;
        string job = await BudgetJobs.SubmitAsync(cluster, simulator, rows: 5000, budget, concurrency: random.Next(5, 40));
        List<RunningTool> workers = [], frozen = [];
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
            if (random.Next(3) == 0)
            {
                workers[victim].Signal("STOP");
                frozen.Add(workers[victim]);
            }
            else
            {
                workers[victim].Signal("KILL");
            }

            workers[victim] = await cluster.StartWorkerAsync();
            if (frozen.Count > 1)
            {
                frozen[0].Signal("CONT"); // works on beside the one that took its place
                frozen.RemoveAt(0);
            }
        }

        ClusterJob ended = (await following).Job;
        decimal billed = BudgetJobs.Bill(simulator);
        BudgetStatus known = (await new BudgetStore(cluster.Store).FindAsync(job, Ended))!;
        TestContext.Current.TestOutputHelper!.WriteLine(FormattableString.Invariant(
            $"seed {seed}: of ${budget}, ${billed} billed, ${known.Paid} paid, ${known.MaybePaid} possibly, ${known.Lent} lent: {ended.Reason}"));
        Assert.InRange(billed, known.Paid, budget);

        // Nothing is left over but what lost workers may have paid, and less than one request.
        Assert.InRange(known.Paid + known.MaybePaid + known.Lent, budget - BudgetJobs.WorstCase, budget);
        Assert.Equal(ClusterJob.Stopped, ended.State);
        Assert.StartsWith("The budget of $", ended.Reason, StringComparison.Ordinal);

        // What they had in flight when they were frozen was reserved.
        foreach (RunningTool worker in frozen)
        {
            worker.Signal("CONT");
            worker.Signal("TERM");
            await worker.WaitAsync();
        }

        Assert.InRange(BudgetJobs.Bill(simulator), billed, budget);
    }

    [Fact]
    public async Task Budget_NoWorkerIsLost_IsUsedToTheLastRequest()
    {
        await using var simulator = await SimulatorServer.StartAsync(
            new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), LatencySigma = 0.5, RecordRequests = true }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        for (int i = 0; i < 3; i++)
        {
            await cluster.StartWorkerAsync();
        }

        const decimal Budget = 1000.5m * BudgetJobs.WorstCase;
        string job = await BudgetJobs.SubmitAsync(cluster, simulator, rows: 1500, Budget, concurrency: 20);
        (ClusterJob stopped, _) = await cluster.FollowAsync(job);

        Assert.Equal(ClusterJob.Stopped, stopped.State);
        Assert.Contains("the next request may cost up to $0.0016", stopped.Reason, StringComparison.Ordinal);
        Assert.InRange(BudgetJobs.Bill(simulator), Budget - BudgetJobs.WorstCase, Budget);
    }
}
