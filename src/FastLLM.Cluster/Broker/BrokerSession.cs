using FastLLM.Cluster.Store;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace FastLLM.Cluster.Broker;

/// <summary>Represents one connection to the broker, from its start to its loss.</summary>
/// <remarks>The queues are quorum queues: they survive restarts, and count deliveries. A message that was given back 20 times goes to the
/// queue of dead letters. Chunks that must not wait for all others have a queue of their own, since quorum queues have no
/// priorities.</remarks>
internal sealed class BrokerSession : IAsyncDisposable
{
    private const int MaxDeliveries = 20;
    private const int Unconfirmed = 256;
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(10);

    // The client's own limits do not hold where the network is silent.
    private static readonly TimeSpan s_longestOpening = 2 * s_timeout;
    private static readonly TimeSpan s_longestClosing = TimeSpan.FromSeconds(3);

    private readonly IConnection _connection;
    private readonly IChannel _work;
    private readonly IChannel _publish;
    private readonly string _queue;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _consumers = [];

    private BrokerSession(IConnection connection, IChannel work, IChannel publish, string queue)
    {
        _connection = connection;
        _work = work;
        _publish = publish;
        _queue = queue;
        connection.ConnectionShutdownAsync += OnShutdownAsync;
        work.ChannelShutdownAsync += OnShutdownAsync;
        publish.ChannelShutdownAsync += OnShutdownAsync;
        if (!connection.IsOpen || !work.IsOpen || !publish.IsOpen)
        {
            _closed.TrySetResult();
        }
    }

    /// <summary>Gets a task that ends when the connection is lost.</summary>
    public Task Closed => _closed.Task;

    private string First => _queue + ".first";

    private string DeadLetters => _queue + ".dead";

    /// <summary>Connects, and declares the queues of a cluster.</summary>
    /// <exception cref="TimeoutException">The broker does not answer.</exception>
    public static async Task<BrokerSession> OpenAsync(
        BrokerAddress address, string clusterId, string name, CancellationToken cancellationToken)
    {
        using CancellationTokenSource opening = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<BrokerSession> opened = ConnectAsync(address, clusterId, name, opening.Token);
        try
        {
            return await opened.WaitAsync(s_longestOpening, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (!opened.IsCompleted)
        {
            await opening.CancelAsync().ConfigureAwait(false);
            _ = CloseLateAsync(opened);
            throw;
        }
    }

    /// <summary>Publishes chunks, and waits until the broker has them on its disk.</summary>
    public Task PublishAsync(IEnumerable<ChunkId> chunks, CancellationToken cancellationToken) =>
        PublishAsync(_queue, chunks, cancellationToken);

    /// <summary>Publishes chunks that workers receive before all others, and waits until the broker has them on its disk.</summary>
    public Task PublishFirstAsync(IEnumerable<ChunkId> chunks, CancellationToken cancellationToken) =>
        PublishAsync(First, chunks, cancellationToken);

    /// <summary>Receives chunks.</summary>
    /// <param name="prefetch">The number of messages that may be unacknowledged, and as many of those that come first. Further calls add
    /// to it.</param>
    /// <param name="receive">Receives each message, one after the other.</param>
    /// <param name="cancellationToken">Ends the wait for the broker.</param>
    public async Task ConsumeAsync(int prefetch, Func<Delivery, Task> receive, CancellationToken cancellationToken)
    {
        await _work.BasicQosAsync(0, (ushort)prefetch, global: false, cancellationToken).ConfigureAwait(false);
        var consumer = new AsyncEventingBasicConsumer(_work);
        consumer.ReceivedAsync += async (_, message) =>
        {
            if (ChunkMessage.Read(message.Body.Span) is { } chunk)
            {
                await receive(new Delivery(_work, message.DeliveryTag, chunk)).ConfigureAwait(false);
            }
            else
            {
                await _work.BasicNackAsync(message.DeliveryTag, multiple: false, requeue: false).ConfigureAwait(false); // not ours
            }
        };
        foreach (string queue in (string[])[First, _queue])
        {
            _consumers.Add(await _work.BasicConsumeAsync(queue, autoAck: false, consumer, cancellationToken).ConfigureAwait(false));
        }
    }

    /// <summary>Receives no more chunks.</summary>
    public async Task StopConsumingAsync()
    {
        try
        {
            foreach (string consumer in _consumers)
            {
                await _work.BasicCancelAsync(consumer).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (BrokerFault.IsAway(e))
        {
        }
    }

    /// <summary>Counts the messages that wait for a worker. If the broker does not answer, the connection is lost.</summary>
    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _publish.MessageCountAsync(_queue, cancellationToken).ConfigureAwait(false)
                + await _publish.MessageCountAsync(First, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            _closed.TrySetResult();
            throw;
        }
    }

    /// <summary>Takes a dead letter, a chunk that was given back too often; <see langword="null"/> if there is none.</summary>
    /// <param name="bury">Records what is to become of the chunk, before the message is gone.</param>
    /// <param name="cancellationToken">Ends the wait for the broker.</param>
    public async Task<ChunkId?> TakeDeadAsync(Func<ChunkId, Task> bury, CancellationToken cancellationToken)
    {
        if (await _publish.BasicGetAsync(DeadLetters, autoAck: false, cancellationToken).ConfigureAwait(false) is not { } message)
        {
            return null;
        }

        ChunkId? chunk = ChunkMessage.Read(message.Body.Span);
        if (chunk is { } dead)
        {
            await bury(dead).ConfigureAwait(false);
        }

        await _publish.BasicAckAsync(message.DeliveryTag, multiple: false, cancellationToken).ConfigureAwait(false);
        return chunk;
    }

    /// <summary>Closes the connection. The broker gives what is not acknowledged to others.</summary>
    public async ValueTask DisposeAsync()
    {
        _closed.TrySetResult();
        await CloseAsync().WaitAsync(s_longestClosing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task<BrokerSession> ConnectAsync(
        BrokerAddress address, string clusterId, string name, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory
        {
            Uri = address.Uri,
            ClientProvidedName = name,
            AutomaticRecoveryEnabled = false, // the link connects anew, and the store says what is to be done
            TopologyRecoveryEnabled = false,
            RequestedHeartbeat = s_timeout,
            RequestedConnectionTimeout = s_timeout,
            ContinuationTimeout = s_timeout,
        };
        IConnection connection = await factory.CreateConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var confirmed = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
            IChannel work = await connection.CreateChannelAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            IChannel publish = await connection.CreateChannelAsync(confirmed, cancellationToken).ConfigureAwait(false);
            var session = new BrokerSession(connection, work, publish, $"fastllm.{clusterId}");
            await session.DeclareAsync(cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task CloseLateAsync(Task<BrokerSession> opened)
    {
        await ((Task)opened).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (opened.IsCompletedSuccessfully)
        {
            await (await opened.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task CloseAsync()
    {
        try
        {
            await _connection.CloseAsync(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
        }
        catch (Exception e) when (BrokerFault.IsAway(e))
        {
        }

        await _connection.DisposeAsync().ConfigureAwait(false);
    }

    private async Task DeclareAsync(CancellationToken cancellationToken)
    {
        await _publish.QueueDeclareAsync(
            DeadLetters, durable: true, exclusive: false, autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: cancellationToken).ConfigureAwait(false);
        var arguments = new Dictionary<string, object?>
        {
            ["x-queue-type"] = "quorum",
            ["x-delivery-limit"] = MaxDeliveries,
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = DeadLetters,
        };
        foreach (string queue in (string[])[_queue, First])
        {
            await _publish.QueueDeclareAsync(
                queue, durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private async Task PublishAsync(string queue, IEnumerable<ChunkId> chunks, CancellationToken cancellationToken)
    {
        var properties = new BasicProperties { Persistent = true };
        foreach (ChunkId[] some in chunks.Chunk(Unconfirmed))
        {
            await Task.WhenAll(some.Select(chunk => _publish.BasicPublishAsync(
                "", queue, mandatory: true, properties, ChunkMessage.Write(chunk), cancellationToken).AsTask())).ConfigureAwait(false);
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs reason)
    {
        _closed.TrySetResult();
        return Task.CompletedTask;
    }
}
