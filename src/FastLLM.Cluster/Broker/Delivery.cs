using FastLLM.Cluster.Store;
using RabbitMQ.Client;

namespace FastLLM.Cluster.Broker;

/// <summary>Represents a message that the broker has delivered, until it is acknowledged or given back.</summary>
internal sealed class Delivery(IChannel channel, ulong tag, ChunkId chunk)
{
    /// <summary>Gets the chunk that is to be done.</summary>
    public ChunkId Chunk => chunk;

    /// <summary>Acknowledges the message: the store has what came of it.</summary>
    public Task AckAsync() => TryAsync(channel.BasicAckAsync(tag, multiple: false, CancellationToken.None));

    /// <summary>Gives the message back, for another worker.</summary>
    public Task ReturnAsync() => TryAsync(channel.BasicNackAsync(tag, multiple: false, requeue: true, CancellationToken.None));

    // After a loss of the connection the broker delivers the message again, and the store says what to do with it.
    private static async Task TryAsync(ValueTask answer)
    {
        try
        {
            await answer.ConfigureAwait(false);
        }
        catch (Exception e) when (BrokerFault.IsAway(e))
        {
        }
    }
}
