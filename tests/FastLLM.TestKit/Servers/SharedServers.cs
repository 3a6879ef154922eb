using Xunit;

namespace FastLLM.TestKit.Servers;

/// <summary>The servers that all tests of an assembly share: <c>[assembly: AssemblyFixture(typeof(SharedServers))]</c>. Each is started by the
/// first test that needs it; where it is not installed, that test is skipped and says so.</summary>
public sealed class SharedServers : IAsyncDisposable
{
    private readonly Lazy<Task<PostgresServer>> _postgres = new(PostgresServer.StartAsync);
    private readonly Lazy<Task<RabbitServer>> _rabbit = new(RabbitServer.StartAsync);

    /// <summary>Gets the PostgreSQL server. Tests must not stop it.</summary>
    public Task<PostgresServer> Postgres
    {
        get
        {
            Assert.SkipUnless(PostgresServer.IsInstalled, PostgresServer.Missing);
            return _postgres.Value;
        }
    }

    /// <summary>Gets the RabbitMQ server. Tests must not stop it.</summary>
    public Task<RabbitServer> Rabbit
    {
        get
        {
            Assert.SkipUnless(RabbitServer.IsInstalled, RabbitServer.Missing);
            return _rabbit.Value;
        }
    }

    /// <summary>Creates an empty database.</summary>
    /// <returns>How to connect to it.</returns>
    public async Task<string> CreateDatabaseAsync() => await (await Postgres).CreateDatabaseAsync();

    /// <summary>Creates a virtual host without queues.</summary>
    /// <returns>Its address.</returns>
    public async Task<Uri> CreateVirtualHostAsync() => await (await Rabbit).CreateVirtualHostAsync();

    public async ValueTask DisposeAsync()
    {
        await DisposeAsync(_postgres);
        await DisposeAsync(_rabbit);
    }

    private static async ValueTask DisposeAsync<T>(Lazy<Task<T>> server)
        where T : IAsyncDisposable
    {
        if (server.IsValueCreated)
        {
            await Task.WhenAny(server.Value);
            if (server.Value.IsCompletedSuccessfully)
            {
                await (await server.Value).DisposeAsync();
            }
        }
    }
}
