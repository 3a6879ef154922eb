using System.Threading.Channels;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Store;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Jobs;

public sealed class BrokerSessionTests(SharedServers servers)
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ChunksThatComeFirst_DoNotWaitForTheOthers()
    {
        BrokerAddress address = BrokerAddress.Parse((await servers.CreateVirtualHostAsync()).ToString());
        await using BrokerSession session = await BrokerSession.OpenAsync(address, "c", "test", Ended);
        await session.PublishAsync(Enumerable.Range(0, 100).Select(number => new ChunkId("job", number)), Ended);
        var received = Channel.CreateUnbounded<int>();
        await session.ConsumeAsync(prefetch: 1, delivery => received.Writer.WriteAsync(delivery.Chunk.Number, Ended).AsTask(), Ended);
        Assert.Equal(0, await received.Reader.ReadAsync(Ended)); // is not acknowledged: no other is delivered

        await session.PublishFirstAsync([new ChunkId("job", 1_000)], Ended);

        Assert.Equal(1_000, await received.Reader.ReadAsync(Ended));
    }

    [Fact]
    public async Task StalledNetwork_IsNoticed_AndWaitsForItEnd()
    {
        await using StallingProxy network = StallingProxy.Start((await servers.Rabbit).Port);
        var uri = new UriBuilder(await servers.CreateVirtualHostAsync()) { Port = network.Port };
        BrokerAddress address = BrokerAddress.Parse(uri.Uri.ToString());
        BrokerSession session = await BrokerSession.OpenAsync(address, "c", "test", Ended);
        await session.ConsumeAsync(prefetch: 1, _ => Task.CompletedTask, Ended);

        network.Stall();

        await session.Closed.WaitAsync(Ended);
        await session.DisposeAsync().AsTask().WaitAsync(Ended);
        Exception fault = await Assert.ThrowsAnyAsync<Exception>(() => BrokerSession.OpenAsync(address, "c", "test", Ended));
        Assert.True(BrokerFault.IsAway(fault), fault.ToString());
        network.Resume();
        await using BrokerSession again = await BrokerSession.OpenAsync(address, "c", "test", Ended);
    }
}
