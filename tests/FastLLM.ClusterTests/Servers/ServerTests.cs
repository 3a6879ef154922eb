using FastLLM.TestKit.Servers;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using Xunit;

namespace FastLLM.ClusterTests.Servers;

public sealed class ServerTests(SharedServers servers)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Postgres_DatabasesAreEmptyAndOwnedByTheUser()
    {
        string one = await servers.CreateDatabaseAsync(), other = await servers.CreateDatabaseAsync();
        await ExecuteAsync(one, "create schema things; create table things.one (id int)");

        Assert.Equal(0L, await ExecuteAsync(other, "select count(*) from pg_namespace where nspname = 'things'"));
        Assert.Equal(false, await ExecuteAsync(other, "select rolsuper from pg_roles where rolname = current_user"));
        var wrong = new NpgsqlConnectionStringBuilder(one) { Password = "wrong" };
        await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(wrong.ConnectionString, "select 1"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Postgres_StoppedAndStartedAgain_HasItsDataAndItsPort(bool crash)
    {
        Assert.SkipUnless(PostgresServer.IsInstalled, PostgresServer.Missing);
        await using PostgresServer server = await PostgresServer.StartAsync();
        string database = await server.CreateDatabaseAsync();
        await ExecuteAsync(database, "create table kept as select 7 as value");

        await server.StopAsync(crash);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(database, "select 1"));
        await server.StartAgainAsync();

        Assert.Equal(7, await ExecuteAsync(database, "select value from kept"));
    }

    [Fact]
    public async Task Rabbit_StoppedAndStartedAgain_HasItsMessages()
    {
        Assert.SkipUnless(RabbitServer.IsInstalled, RabbitServer.Missing);
        await using RabbitServer server = await RabbitServer.StartAsync();
        Uri host = await server.CreateVirtualHostAsync();
        Assert.NotEqual(host, await server.CreateVirtualHostAsync());
        var options = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
        await using (IConnection connection = await new ConnectionFactory { Uri = host }.CreateConnectionAsync(Cancel))
        await using (IChannel channel = await connection.CreateChannelAsync(options, Cancel))
        {
            var quorum = new Dictionary<string, object?> { ["x-queue-type"] = "quorum" };
            await channel.QueueDeclareAsync("work", durable: true, exclusive: false, autoDelete: false, quorum, cancellationToken: Cancel);

            await channel.BasicPublishAsync("", "work", mandatory: true, new BasicProperties { Persistent = true }, new byte[] { 7 }, Cancel);
        }

        await server.StopAsync();
        await server.StartAgainAsync();

        await using (IConnection connection = await new ConnectionFactory { Uri = host }.CreateConnectionAsync(Cancel))
        await using (IChannel channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            var received = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
            var consumer = new AsyncEventingBasicConsumer(channel);
            consumer.ReceivedAsync += (_, message) =>
            {
                received.TrySetResult(message.Body.ToArray());
                return Task.CompletedTask;
            };
            await channel.BasicConsumeAsync("work", autoAck: true, consumer, Cancel);
            Assert.Equal([7], await received.Task.WaitAsync(Cancel));
        }
    }

    [Fact]
    public async Task VirtualHosts_AreSeparate()
    {
        Uri one = await servers.CreateVirtualHostAsync(), other = await servers.CreateVirtualHostAsync();
        await using IConnection connection = await new ConnectionFactory { Uri = one }.CreateConnectionAsync(Cancel);
        await using IChannel channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await channel.QueueDeclareAsync("mine", durable: true, exclusive: false, autoDelete: false, cancellationToken: Cancel);

        await using IConnection there = await new ConnectionFactory { Uri = other }.CreateConnectionAsync(Cancel);
        await using IChannel empty = await there.CreateChannelAsync(cancellationToken: Cancel);
        await Assert.ThrowsAnyAsync<Exception>(() => empty.QueueDeclarePassiveAsync("mine", Cancel));
    }

    private static async Task<object?> ExecuteAsync(string database, string sql)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database);
        await using NpgsqlCommand command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel);
    }
}
