using System.Net.Sockets;
using RabbitMQ.Client.Exceptions;

namespace FastLLM.Cluster.Broker;

/// <summary>Decides what a failed command of the broker means.</summary>
/// <remarks>Nothing is lost with a broker: the store knows which chunks wait, and the <see cref="Workers.Sweeper"/> publishes them
/// again.</remarks>
internal static class BrokerFault
{
    /// <summary>Determines whether the broker is away, so that the same may succeed later.</summary>
    public static bool IsAway(Exception fault) => fault is BrokerUnreachableException or OperationInterruptedException or PublishException
        or RabbitMQClientException or IOException or SocketException or TimeoutException or ObjectDisposedException
        or OperationCanceledException;

    /// <summary>Returns a message for the user.</summary>
    public static string MessageOf(Exception fault, BrokerAddress address)
    {
        for (Exception? cause = fault; cause is not null; cause = cause.InnerException)
        {
            if (cause is AuthenticationFailureException or PossibleAuthenticationFailureException)
            {
                return $"RabbitMQ at {address.Host} refuses the user or the password. Check FASTLLM_BROKER or FASTLLM_BROKER_PASSWORD.";
            }

            if (cause is OperationInterruptedException { ShutdownReason: { } reason })
            {
                return $"RabbitMQ at {address.Host}: {reason.ReplyText}";
            }
        }

        return $"RabbitMQ at {address.Host} cannot be reached: {(fault.InnerException ?? fault).Message}";
    }

    /// <summary>Runs a command whose result a user awaits.</summary>
    /// <exception cref="IOException">The broker cannot be reached, or refuses the command.</exception>
    public static async Task<T> GuardAsync<T>(Func<Task<T>> command, BrokerAddress address)
    {
        try
        {
            return await command().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException && IsAway(e))
        {
            throw new IOException(MessageOf(e, address), e);
        }
    }
}
