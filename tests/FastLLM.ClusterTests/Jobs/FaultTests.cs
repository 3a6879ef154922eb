using System.Text.Json.Nodes;
using FastLLM.Cluster.Store;
using FastLLM.Cluster.Workers;
using FastLLM.EndToEndTests;
using FastLLM.Simulator;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Jobs;

/// <summary>What may fail in a cluster fails here: workers, messages, the broker, the database. No row is lost, none is there twice.</summary>
public sealed class FaultTests(SharedServers servers)
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task KilledWorker_OthersTakeItsChunks()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        RunningTool victim = await cluster.StartWorkerAsync();
        string job = await cluster.SubmitAsync(cluster.WriteRows(3_000), simulator.ApiBase, "--concurrency", "100");
        await victim.WaitForMessageAsync("Working on");
        RunningTool other = await cluster.StartWorkerAsync();
        victim.Signal("KILL");
        await other.WaitForMessageAsync("workers that ended");
        (ClusterJob done, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 3_000L), (done.State, done.Counts.Answered));
        Assert.InRange(await cluster.QueryAsync<short>("select max(crashes) from fastllm.chunks"), 1, short.MaxValue);
        JobCluster.AssertRows(await cluster.FetchAsync(job), 3_000);
    }

    [Fact]
    public async Task FrozenWorker_PastItsLease_ChangesNothing()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        RunningTool frozen = await cluster.StartWorkerAsync();
        string job = await cluster.SubmitAsync(cluster.WriteRows(1_000), simulator.ApiBase, "--concurrency", "50");
        await frozen.WaitForMessageAsync("Working on");
        frozen.Signal("STOP");
        await cluster.StartWorkerAsync();
        (ClusterJob done, _) = await cluster.FollowAsync(job);
        string[] before = await cluster.FetchAsync(job);
        frozen.Signal("CONT");
        frozen.Signal("TERM");
        Assert.Equal(0, (await frozen.WaitAsync()).Exit);

        Assert.Equal((ClusterJob.Done, 1_000L), (done.State, done.Counts.Answered));
        JobCluster.AssertRows(before, 1_000);
        Assert.Equal(before, await cluster.FetchAsync(job));
    }

    [Fact]
    public async Task PoisonedChunk_ItsRowsFail_TheJobGoesOn()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string job = await cluster.SubmitAsync(cluster.WriteRows(1_500), simulator.ApiBase);
        await cluster.ExecuteAsync($"update fastllm.chunks set crashes = {Worker.MaxCrashes} where number = 1");
        await cluster.StartWorkerAsync();
        (ClusterJob done, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 1_000L, 500L), (done.State, done.Counts.Answered, done.Counts.Failed));
        string[] lines = await cluster.FetchAsync(job, exit: 1);
        JobCluster.AssertRows(lines, 1_500);
        Assert.Contains($"chunk 1 of job {job}", JsonNode.Parse(lines[500])!["error"]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ChunksThatWereThereWhenWorkersEnded_AreProcessed()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string job = await cluster.SubmitAsync(cluster.WriteRows(1_500), simulator.ApiBase);
        await cluster.ExecuteAsync($"update fastllm.chunks set crashes = {Worker.MaxCrashes - 1}");
        await cluster.StartWorkerAsync();
        (ClusterJob done, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 1_500L, 1_500L), (done.State, done.Counts.Answered, simulator.Stats.Sends));
    }

    [Fact]
    public async Task LostMessages_ArePublishedAgain()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        string job = await cluster.SubmitAsync(cluster.WriteRows(1_500), simulator.ApiBase);
        string id = await new JobStore(cluster.Store).ReadClusterIdAsync(Ended);
        RabbitServer rabbit = await servers.Rabbit;
        await rabbit.ControlAsync("purge_queue", $"fastllm.{id}", "-p", cluster.Broker.Uri.AbsolutePath.Trim('/'));

        await cluster.StartWorkerAsync();
        (ClusterJob done, _) = await cluster.FollowAsync(job);
        Assert.Equal((ClusterJob.Done, 1_500L, 1_500L), (done.State, done.Counts.Answered, simulator.Stats.Sends));
    }

    [Fact]
    public async Task BrokerIsRestarted_NothingIsLostOrSentTwice()
    {
        Assert.SkipUnless(RabbitServer.IsInstalled, RabbitServer.Missing);
        await using RabbitServer rabbit = await RabbitServer.StartAsync();
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(await servers.CreateDatabaseAsync(), rabbit.Uri);
        RunningTool worker = await cluster.StartWorkerAsync("--chunks", "1");
        RunningTool other = await cluster.StartWorkerAsync("--chunks", "1");
        string job = await cluster.SubmitAsync(cluster.WriteRows(4_000), simulator.ApiBase, "--concurrency", "50");
        await worker.WaitForMessageAsync("Working on");
        await rabbit.StopAsync(crash: true);
        await worker.WaitForMessageAsync("Trying again until it is back");
        await rabbit.StartAgainAsync();
        await worker.WaitForMessageAsync("is back.");
        await other.WaitForMessageAsync("is back.");
        (ClusterJob done, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 4_000L, 4_000L), (done.State, done.Counts.Answered, simulator.Stats.Sends));
        JobCluster.AssertRows(await cluster.FetchAsync(job), 4_000);
    }

    [Fact]
    public async Task DatabaseIsRestarted_NothingIsLostOrSentTwice()
    {
        Assert.SkipUnless(PostgresServer.IsInstalled, PostgresServer.Missing);
        await using PostgresServer postgres = await PostgresServer.StartAsync();
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(300) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(await postgres.CreateDatabaseAsync(), await servers.CreateVirtualHostAsync());
        RunningTool worker = await cluster.StartWorkerAsync("--chunks", "1");
        await cluster.StartWorkerAsync("--chunks", "1");
        string job = await cluster.SubmitAsync(cluster.WriteRows(4_000), simulator.ApiBase, "--concurrency", "50");
        await worker.WaitForMessageAsync("Working on");
        await postgres.StopAsync(crash: true);
        await worker.WaitForMessageAsync("PostgreSQL is away");
        await postgres.StartAgainAsync();
        await worker.WaitForMessageAsync("PostgreSQL is back");
        (ClusterJob done, _) = await cluster.FollowAsync(job);

        Assert.Equal((ClusterJob.Done, 4_000L, 4_000L), (done.State, done.Counts.Answered, simulator.Stats.Sends));
        JobCluster.AssertRows(await cluster.FetchAsync(job), 4_000);
    }
}
