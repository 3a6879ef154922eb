using FastLLM.TestKit.Servers;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>PostgreSQL, with fsync, and RabbitMQ on this machine.</summary>
internal sealed class ClusterServers(PostgresServer postgres, RabbitServer rabbit) : IAsyncDisposable
{
    public PostgresServer Postgres => postgres;

    public RabbitServer Rabbit => rabbit;

    public static async Task<ClusterServers> StartAsync()
    {
        PostgresServer postgres = await PostgresServer.StartAsync(isDurable: true);
        try
        {
            return new ClusterServers(postgres, await RabbitServer.StartAsync());
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates an empty database and a virtual host.</summary>
    public async Task<(string Connection, Uri Broker)> CreateAsync() => (await postgres.CreateDatabaseAsync(), await rabbit.CreateVirtualHostAsync());

    public async ValueTask DisposeAsync()
    {
        await rabbit.DisposeAsync();
        await postgres.DisposeAsync();
    }
}
