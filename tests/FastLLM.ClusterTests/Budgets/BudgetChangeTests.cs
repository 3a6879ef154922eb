using System.Globalization;
using FastLLM.Cluster.Store;
using FastLLM.ClusterTests.Jobs;
using FastLLM.EndToEndTests;
using FastLLM.Simulator;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Budgets;

/// <summary>Budgets that are small, several, or changed.</summary>
public sealed class BudgetChangeTests(SharedServers servers)
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Budget_LowerThanTheWorstCaseOfARequest_NothingIsSent_AndTheReasonSaysSo()
    {
        await using SimulatorServer simulator = await StartSimulatorAsync();
        await using JobCluster cluster = await NewClusterAsync(workers: 2);
        string job = await BudgetJobs.SubmitAsync(cluster, simulator, rows: 1000, BudgetJobs.WorstCase * 0.9m, concurrency: 20);
        (ClusterJob stopped, _) = await cluster.FollowAsync(job);

        Assert.Equal(ClusterJob.Stopped, stopped.State);
        Assert.Contains("the next request may cost up to $0.0016", stopped.Reason, StringComparison.Ordinal);
        Assert.Equal(0, simulator.Stats.Sends);
    }

    [Fact]
    public async Task Budget_RaisedAndLowered_JobContinuesWithTheNewOne()
    {
        await using SimulatorServer simulator = await StartSimulatorAsync();
        await using JobCluster cluster = await NewClusterAsync(workers: 3);
        const decimal First = 300.5m * BudgetJobs.WorstCase, Higher = 700.5m * BudgetJobs.WorstCase;
        string job = await BudgetJobs.SubmitAsync(cluster, simulator, rows: 1500, First, concurrency: 20);
        await cluster.FollowAsync(job);
        Assert.InRange(BudgetJobs.Bill(simulator), First - BudgetJobs.WorstCase, First);

        ClusterJob raised = await ResumeAsync(cluster, job, Higher);
        decimal billed = BudgetJobs.Bill(simulator);
        Assert.Equal(ClusterJob.Stopped, raised.State);
        Assert.InRange(billed, Higher - BudgetJobs.WorstCase, Higher);

        ClusterJob lowered = await ResumeAsync(cluster, job, First);
        Assert.Equal(ClusterJob.Stopped, lowered.State);
        Assert.StartsWith("The budget of $", lowered.Reason, StringComparison.Ordinal);
        Assert.Equal(billed, BudgetJobs.Bill(simulator));
    }

    [Fact]
    public async Task TwoJobs_WorkersKilled_EachKeepsItsOwnBudget()
    {
        await using SimulatorServer simulator = await StartSimulatorAsync();
        await using JobCluster cluster = await NewClusterAsync(workers: 2);
        RunningTool victim = await cluster.StartWorkerAsync();
        const decimal Large = 900 * BudgetJobs.WorstCase, Small = 400 * BudgetJobs.WorstCase;
        string large = await BudgetJobs.SubmitAsync(cluster, simulator, rows: 2000, Large, concurrency: 20, "large");
        string small = await BudgetJobs.SubmitAsync(cluster, simulator, rows: 2000, Small, concurrency: 20, "small");
        await simulator.UntilAsync(static stats => stats.Sends >= 300, Ended);
        victim.Signal("KILL");
        ClusterJob[] ended = [(await cluster.FollowAsync(large)).Job, (await cluster.FollowAsync(small)).Job];

        Assert.All(ended, static job => Assert.StartsWith("The budget of $", job.Reason, StringComparison.Ordinal));
        Assert.InRange(BudgetJobs.Bill(simulator, "large"), Large / 2, Large);
        Assert.InRange(BudgetJobs.Bill(simulator, "small"), Small / 2, Small);
    }

    private static Task<SimulatorServer> StartSimulatorAsync() => SimulatorServer.StartAsync(
        new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50), LatencySigma = 0.5, RecordRequests = true }, Ended);

    private static async Task<ClusterJob> ResumeAsync(JobCluster cluster, string job, decimal budget)
    {
        ToolResult result = await cluster.Tool.RunAsync("resume", job, "--max-cost", budget.ToString(CultureInfo.InvariantCulture));
        Assert.True(result.Exit == 0, result.Messages);
        return (await cluster.FollowAsync(job)).Job;
    }

    private async Task<JobCluster> NewClusterAsync(int workers)
    {
        JobCluster cluster = await JobCluster.CreateAsync(servers);
        for (var i = 0; i < workers; i++)
        {
            await cluster.StartWorkerAsync();
        }

        return cluster;
    }
}
