using FastLLM.Cluster.Store;
using FastLLM.EndToEndTests;
using FastLLM.Simulator;
using FastLLM.TestKit.Servers;
using Npgsql;
using Xunit;

namespace FastLLM.ClusterTests.Jobs;

/// <summary>The network between a worker and its servers stalls and is cut, and the disk of the database is full. No row is lost, none is there
/// twice.</summary>
public sealed class NetworkFaultTests(SharedServers servers)
{
    private const int Rows = 4_000;

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task StalledDatabase_WorkerContinues()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        await using StallingProxy database = StallingProxy.Start((await servers.Postgres).Port);
        await using JobCluster far = await BehindAsync(cluster, database, broker: null);
        RunningTool worker = await far.StartWorkerAsync("--chunks", "1");
        string job = await cluster.SubmitAsync(cluster.WriteRows(Rows), simulator.ApiBase, "--concurrency", "100");
        await worker.WaitForMessageAsync("Working on");

        database.Stall();
        await worker.WaitForMessageAsync("PostgreSQL is away");
        database.Resume();
        await worker.WaitForMessageAsync("PostgreSQL is back");

        await AssertDoneAsync(cluster, job);
        Assert.Equal(Rows, simulator.Stats.Sends);
    }

    [Fact]
    public async Task WorkerCutOffPastItsLease_OthersTakeItsChunks_AndItChangesNothing()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        await using StallingProxy database = StallingProxy.Start((await servers.Postgres).Port);
        await using StallingProxy broker = StallingProxy.Start((await servers.Rabbit).Port);
        await using JobCluster far = await BehindAsync(cluster, database, broker);
        RunningTool cutOff = await far.StartWorkerAsync("--chunks", "2");
        string job = await cluster.SubmitAsync(cluster.WriteRows(Rows), simulator.ApiBase, "--concurrency", "20");
        await cutOff.WaitForMessageAsync("Working on");

        await Task.WhenAll(database.CutAsync(), broker.CutAsync());
        RunningTool other = await cluster.StartWorkerAsync();
        await cutOff.WaitForMessageAsync("PostgreSQL is away");
        await cutOff.WaitForMessageAsync("RabbitMQ at");
        await other.WaitForMessageAsync("workers that ended");
        database.Resume();
        broker.Resume();
        await cutOff.WaitForMessageAsync("PostgreSQL is back");

        await AssertDoneAsync(cluster, job);
    }

    [Fact]
    public async Task StalledBroker_WorkerFinishesItsChunks_AndConnectsAgain()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        await using StallingProxy broker = StallingProxy.Start((await servers.Rabbit).Port);
        await using JobCluster far = await BehindAsync(cluster, database: null, broker);
        RunningTool worker = await far.StartWorkerAsync("--chunks", "1");
        string job = await cluster.SubmitAsync(cluster.WriteRows(Rows), simulator.ApiBase, "--concurrency", "100");
        await worker.WaitForMessageAsync("Working on");

        broker.Stall(); // heartbeats find it out
        await worker.WaitForMessageAsync("Trying again until it is back");
        broker.Resume();
        await worker.WaitForMessageAsync("is back.");

        await AssertDoneAsync(cluster, job);
        Assert.Equal(Rows, simulator.Stats.Sends);
    }

    [Fact]
    public async Task DiskOfTheDatabaseIsFull_FinishedChunksWait()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(50) }, Ended);
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        await cluster.FillDiskAsync();
        string job = await cluster.SubmitAsync(cluster.WriteRows(Rows), simulator.ApiBase, "--concurrency", "100");
        RunningTool worker = await cluster.StartWorkerAsync();
        await worker.WaitForMessageAsync("No space left on device");

        await cluster.FreeDiskAsync();

        await AssertDoneAsync(cluster, job);
        Assert.Equal(Rows, simulator.Stats.Sends);
    }

    // The same cluster behind proxies. What gets no answer is noticed after three seconds, not after thirty.
    private static Task<JobCluster> BehindAsync(JobCluster cluster, StallingProxy? database, StallingProxy? broker)
    {
        var connection = new NpgsqlConnectionStringBuilder(cluster.Connection) { CommandTimeout = 3 };
        connection.Port = database?.Port ?? connection.Port;
        var address = new UriBuilder(cluster.Broker.Uri);
        address.Port = broker?.Port ?? address.Port;
        return JobCluster.CreateAsync(connection.ConnectionString, address.Uri);
    }

    private static async Task AssertDoneAsync(JobCluster cluster, string job)
    {
        (ClusterJob done, _) = await cluster.FollowAsync(job);
        Assert.Equal((ClusterJob.Done, (long)Rows), (done.State, done.Counts.Answered));
        JobCluster.AssertRows(await cluster.FetchAsync(job), Rows);
    }
}
