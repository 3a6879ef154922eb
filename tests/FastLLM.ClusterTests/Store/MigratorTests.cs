using FastLLM.ClusterTests.Jobs;
using FastLLM.EndToEndTests;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Store;

public sealed class MigratorTests(SharedServers servers)
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Initialize_ByManyAtOnce_AppliesEachStepOnce()
    {
        string connection = await servers.CreateDatabaseAsync();
        await using var store = new ClusterStore(connection);
        int[] applied = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => store.InitializeAsync(Ended)));

        Assert.Equal(Cluster.Store.Migration.All.Count, applied.Sum());
        Assert.Equal(0, await store.InitializeAsync(Ended));
        await store.CheckAsync(Ended);
    }

    [Fact]
    public async Task EmptyOrNewerDatabase_IsRefused()
    {
        await using JobCluster cluster = await JobCluster.CreateAsync(servers);
        await cluster.ExecuteAsync("insert into fastllm.migrations (number, name) values (9999, 'future')");
        ToolResult newer = await cluster.Tool.RunAsync("cluster", "init");
        Assert.Equal(2, newer.Exit);
        Assert.Contains("newer version", newer.Messages, StringComparison.Ordinal);
        Assert.Equal(2, (await cluster.Tool.RunAsync("jobs")).Exit);

        cluster.Tool.Environment["FASTLLM_STORE"] = await servers.CreateDatabaseAsync();
        ToolResult empty = await cluster.Tool.RunAsync("jobs");
        Assert.Equal(2, empty.Exit);
        Assert.Contains("fastllm cluster init", empty.Messages, StringComparison.Ordinal);
    }
}
