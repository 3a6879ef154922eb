using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;
using FastLLM.EndToEndTests;
using FastLLM.Simulator;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Jobs;

/// <summary>The way of a job through a cluster of real servers and processes.</summary>
public sealed class JobTests(SharedServers servers)
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TwoWorkers_OutputIsWhatRunWrites()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string input = cluster.WriteRows(1_700);
        Assert.Equal(0, (await cluster.Tool.RunAsync("run", input, "-o", "local.jsonl", "--base-url", simulator.ApiBase, "--no-cache")).Exit);

        await cluster.StartWorkerAsync();
        await cluster.StartWorkerAsync();
        string job = await cluster.SubmitAsync(input, simulator.ApiBase);
        (ClusterJob ended, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 4, 1_700L, 0L), (ended.State, ended.Chunks, ended.Counts.Answered, ended.Counts.Failed));
        string[] fetched = await cluster.FetchAsync(job);
        Assert.Equal(JobCluster.WithoutTimes(File.ReadAllLines(cluster.Tool.PathOf("local.jsonl"))), JobCluster.WithoutTimes(fetched));
        Assert.Equal(3_400, simulator.Stats.Sends);
        ToolResult again = await cluster.Tool.RunAsync("submit", input, "--base-url", simulator.ApiBase);
        Assert.Equal((0, job), (again.Exit, again.Output.Trim()));
    }

    [Fact]
    public async Task InvalidAndFailedRows_HaveTheirLines()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        cluster.Tool.Write("in.jsonl",
            """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"Hi"}]}}""",
            """{"custom_id":"b","method":"POST","url":"/v2/chat","body":{}}""",
            """{"custom_id":"c","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}""");
        Assert.Equal(1, (await cluster.Tool.RunAsync(
            "run", "in.jsonl", "-o", "local.jsonl", "--base-url", simulator.ApiBase, "--no-cache", "--skip-invalid")).Exit);

        await cluster.StartWorkerAsync();
        ToolResult result = await cluster.Tool.RunAsync(
            "run", "in.jsonl", "-o", "out.jsonl", "--base-url", simulator.ApiBase, "--cluster", "--skip-invalid");

        Assert.True(result.Exit == 1, result.Messages);
        Assert.Equal(
            JobCluster.WithoutTimes(File.ReadAllLines(cluster.Tool.PathOf("local.jsonl"))),
            JobCluster.WithoutTimes(File.ReadAllLines(cluster.Tool.PathOf("out.jsonl"))));
    }

    [Fact]
    public async Task Run_Interrupted_ContinuesItsJob()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string input = cluster.WriteRows(1_200);
        string[] command = ["run", input, "-o", "out.jsonl", "--base-url", simulator.ApiBase, "--cluster", "--concurrency", "100"];
        using (RunningTool first = cluster.Tool.Start(command))
        {
            await first.WaitForMessageAsync("Submitted as");
            await cluster.FillDiskAsync(from: 1); // the job cannot end before it is interrupted
            RunningTool worker = await cluster.StartWorkerAsync();
            await worker.WaitForMessageAsync("No space left on device");
            first.Signal("INT");
            ToolResult interrupted = await first.WaitAsync();
            Assert.Equal(130, interrupted.Exit);
            await cluster.FreeDiskAsync();
        }

        ToolResult result = await cluster.Tool.RunAsync(command);

        Assert.True(result.Exit == 0, result.Messages);
        Assert.Contains("Continuing", result.Messages, StringComparison.Ordinal);
        JobCluster.AssertRows(File.ReadLines(cluster.Tool.PathOf("out.jsonl")), 1_200);
        Assert.Equal(1_200, simulator.Stats.Sends);
        File.Delete(cluster.Tool.PathOf("out.jsonl"));
        Assert.Equal(0, (await cluster.Tool.RunAsync(command)).Exit);
        JobCluster.AssertRows(File.ReadLines(cluster.Tool.PathOf("out.jsonl")), 1_200);
        Assert.Equal(1_200, simulator.Stats.Sends);
    }

    [Fact]
    public async Task Run_TableWithTemplate_WritesTheTable()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        cluster.Tool.Write("in.csv", ["id,text", .. Enumerable.Range(0, 30).Select(i => $"{i},text {i}")]);
        await cluster.StartWorkerAsync();

        ToolResult result = await cluster.Tool.RunAsync(
            "run", "in.csv", "-o", "out.csv", "--model", "m", "--template", "Good or bad? {{text}}", "--labels", "good,bad",
            "--base-url", simulator.ApiBase, "--cluster");

        Assert.True(result.Exit is 0 or 1, result.Messages);
        string[] lines = File.ReadAllLines(cluster.Tool.PathOf("out.csv"));
        Assert.Equal(31, lines.Length);
        Assert.StartsWith("id,text,label,answer", lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task PausedJob_IsNotTaken_ResumedJobIsDone_CanceledJobIsNot()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string job = await cluster.SubmitAsync(cluster.WriteRows(600), simulator.ApiBase);
        string other = await cluster.SubmitAsync(cluster.WriteRows(700, "other.jsonl"), simulator.ApiBase);
        string last = await cluster.SubmitAsync(cluster.WriteRows(800, "last.jsonl"), simulator.ApiBase);
        Assert.Equal(0, (await cluster.Tool.RunAsync("pause", job)).Exit);
        Assert.Equal(0, (await cluster.Tool.RunAsync("cancel", other)).Exit);

        await cluster.StartWorkerAsync();
        await cluster.FollowAsync(last);
        Assert.Equal(800, simulator.Stats.Sends);
        Assert.Equal(0, (await cluster.Tool.RunAsync("resume", job)).Exit);
        (ClusterJob resumed, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 600L), (resumed.State, resumed.Counts.Answered));
        ToolResult list = await cluster.Tool.RunAsync("jobs");
        Assert.Contains("canceled", list.Output, StringComparison.Ordinal);
        ToolResult status = await cluster.Tool.RunAsync("status", job);
        Assert.Contains("600/600 (100%)", status.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await cluster.Tool.RunAsync("resume", other)).Exit);
        Assert.Equal(2, (await cluster.Tool.RunAsync("status", "none")).Exit);
        await cluster.FetchAsync(other, exit: 3);
    }

    [Fact]
    public async Task MissingKey_StopsTheJob_ResumeWithTheKeyContinues()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string job = await cluster.SubmitAsync(cluster.WriteRows(10), simulator.ApiBase, "--api-key-env", "TEST_KEY");
        RunningTool without = await cluster.StartWorkerAsync();
        (ClusterJob stopped, _) = await cluster.FollowAsync(job);
        Assert.Equal(ClusterJob.Stopped, stopped.State);
        Assert.Contains("--api-key-env TEST_KEY", stopped.Reason, StringComparison.Ordinal);
        Assert.Equal(0, simulator.Stats.Sends);
        without.Signal("TERM");
        Assert.Equal(0, (await without.WaitAsync()).Exit);

        cluster.Tool.Environment["TEST_KEY"] = "key";
        await cluster.StartWorkerAsync("--api-key-env", "TEST_KEY");
        Assert.Equal(0, (await cluster.Tool.RunAsync("resume", job)).Exit);
        (ClusterJob done, _) = await cluster.FollowAsync(job);
        Assert.Equal((ClusterJob.Done, 10L), (done.State, done.Counts.Answered));
    }

    [Fact]
    public async Task RepeatedMessages_ChangeNothing()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string job = await cluster.SubmitAsync(cluster.WriteRows(2_000), simulator.ApiBase);
        string id = await new JobStore(cluster.Store).ReadClusterIdAsync(Ended);
        await using (BrokerSession session = await BrokerSession.OpenAsync(cluster.Broker, id, "test", Ended))
        {
            await session.PublishAsync(Enumerable.Range(0, 12).Select(i => new ChunkId(job, i % 4)), Ended);
            await session.PublishAsync([new ChunkId("gone", 1)], Ended);
        }

        await cluster.StartWorkerAsync();
        await cluster.StartWorkerAsync();
        (ClusterJob done, IReadOnlyList<string> lines) = await cluster.FollowAsync(job);

        Assert.Equal((2_000L, 2_000), (done.Counts.Answered, lines.Count));
        Assert.Equal(2_000, simulator.Stats.Sends);
        JobCluster.AssertRows(await cluster.FetchAsync(job), 2_000);
    }

    [Fact]
    public async Task Drain_FinishesItsChunks_OthersTakeTheRest()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        RunningTool first = await cluster.StartWorkerAsync("--chunks", "1");
        string job = await cluster.SubmitAsync(cluster.WriteRows(2_000), simulator.ApiBase, "--concurrency", "100");
        await first.WaitForMessageAsync("Working on");
        first.Signal("TERM");
        ToolResult drained = await first.WaitAsync();
        Assert.True(drained.Exit == 0, drained.Messages);
        Assert.DoesNotContain("go back", drained.Messages, StringComparison.Ordinal);

        await cluster.StartWorkerAsync();
        (ClusterJob done, _) = await cluster.FollowAsync(job);
        Assert.Equal((2_000L, 2_000L), (done.Counts.Answered, simulator.Stats.Sends));
        JobCluster.AssertRows(await cluster.FetchAsync(job), 2_000);
    }
}
