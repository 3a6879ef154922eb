using System.Net.Sockets;
using FastLLM.Diagnostics;

namespace FastLLM.Providers;

/// <summary>Opens the sockets of connections, and keeps the last file descriptors free for files.</summary>
/// <remarks>A new descriptor has the lowest free number. So a socket whose number lies within the reserve is one too many, no matter which
/// part of the process holds the others. This costs a comparison; counting descriptors would cost milliseconds.</remarks>
internal static class Connector
{
    private static readonly int s_highest = Descriptors.Limit == int.MaxValue
        ? int.MaxValue
        : Math.Max(Descriptors.Limit / 2, Descriptors.Limit - Descriptors.Reserve);

    public static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (socket.Handle >= s_highest)
            {
                throw new SocketException((int)SocketError.TooManyOpenSockets);
            }

            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
